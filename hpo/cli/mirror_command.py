"""`hpo mirror`: send what an MLflow server still lacks of a sweep."""

import re
import sys
from typing import TYPE_CHECKING

import click

from hpo.cli import options
from hpo.cli.options import Shared

if TYPE_CHECKING:  # for the types only: SQLAlchemy takes a while to import
    from trackers.opening import Store
    from trackers.records import Run

EXIT_PENDING = 75
SHOWN = 5
"""So many of the things that a server did not take are named."""


@click.command("mirror")
@click.argument("sweep", metavar="SWEEP", default="@latest")
@click.option("--to", metavar="URI", help="The server, http://..; else those that the sweep was started with.")
@options.store_only
def command(shared: Shared, *, sweep: str, to: str | None) -> None:
    """Send what an MLflow server still lacks of a SWEEP (the latest if not named): runs, files, models, versions.

    However often it is called, and wherever it was killed, each run is there once. User and password come from
    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. Exit 75 where something is still to be sent.
    """
    from hpo.cli.stores import require_store, store_name
    from hpo.errors import ConfigError
    from hpo.mirrors.beside import check_mirrors
    from hpo.mirrors.recorded import mirrors_in, mirrors_tag
    from hpo.places import checked_server
    from trackers.mlflow_asking import prepare_environment
    from trackers.opening import open_store
    from trackers.records import RunUpdated

    given = (checked_server(to),) if to else shared.mirrors
    check_mirrors(given, shared.tracker)
    require_store(shared)
    prepare_environment()
    with open_store(shared.tracker) as store:
        run = _sweep(store, sweep, store_name(shared))
        known = mirrors_in(run.tags)
        if missing := [mirror for mirror in given if mirror not in known]:
            store.tracker.record([RunUpdated(run.id, tags=mirrors_tag([*known, *missing]))])
        mirrors = given or known
        if not mirrors:
            raise ConfigError(f"sweep {run.name!r} has no mirror; name a server: hpo mirror {run.name} --to http://..")
        left = [mirror for mirror in mirrors if not _send(store, mirror, run, shared)]
    if left:
        sys.exit(EXIT_PENDING)


def _sweep(store: "Store", name: str, shown: str) -> "Run":
    """The sweep of that name; a deleted one by its whole run id."""
    from hpo.errors import NothingFound
    from hpo.naming import find_sweep

    try:
        return find_sweep(store.tracker, name, shown)
    except NothingFound:
        if not re.fullmatch(r"[0-9a-f]{32}", name):
            raise
    return store.tracker.get(name)


def _send(store: "Store", mirror: str, run: "Run", shared: Shared) -> bool:
    """Whether the server has everything now; says what it was sent, and what not."""
    from hpo.cli import output
    from hpo.mirrors.sending import sending, standing_of
    from trackers.errors import MirrorUnavailable

    try:
        with sending(store, mirror, run.id, run.name) as mirroring:
            try:
                mirroring.send_all()
            finally:
                sent = mirroring.sent
                each = f" in {sent.seconds:.1f} s, {1000 * sent.seconds / sent.runs:.0f} ms each" if sent.runs else ""
                runs = f"{sent.runs} run{'' if sent.runs == 1 else 's'}{each}"
                output.write("\n".join([f"sent to {mirror}: {runs}", *sent.versions]), shared)
        for name, why in list(sent.refused.items())[:SHOWN]:
            output.message(f"not taken: {name}: {why}")
    except MirrorUnavailable as error:
        output.message(f"Error: {error}")
    left = standing_of(store, mirror, run.id).pending
    output.message(f"pending: {left}; go on with the same command" if left else f"{mirror} has everything")
    return not left
