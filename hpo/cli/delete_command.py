"""`hpo delete`: delete sweeps or trials, so that they can still be restored."""

import logging
import os
import sys
import time
from collections.abc import Sequence

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)
EXIT_NOT_DELETED = 1


@click.command("delete")
@click.argument("names", metavar="SWEEP|SWEEP#17...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-registered", is_flag=True, help="Delete all but the runs that registered models came from.")
@options.store_only
def command(shared: Shared, *, names: Sequence[str], yes: bool, keep_registered: bool) -> None:
    """Delete sweeps with all their trials, or single trials, as MLflow deletes runs.

    They are listed no more, their names are free, and hpo restore brings them back, until hpo gc removes them for good
    (30 days later). Refused where a driver is at work (exit 5) and where a registered model came from one (exit 1).
    Asks first; where nobody can be asked, --yes is needed.
    """
    from hpo.cli import output
    from hpo.cli.stores import require_store, store_name
    from hpo.deletion import Doomed, delete
    from hpo.mirrors.by_hand import send_sweeps
    from hpo.naming import find_run
    from trackers.opening import open_store

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("deleting is asked about, and there is no terminal to ask at; add --yes")
    require_store(shared)
    with open_store(shared.tracker) as store:
        runs = {run.id: run for run in (find_run(store.tracker, name, store_name(shared)) for name in names)}
        found = [Doomed.of(store, run) for run in runs.values()]
        for doomed in found:
            if not keep_registered:
                doomed.refuse_registered()
            if not yes:
                output.message(doomed.label)
        if not yes and not click.confirm("delete?", err=True):
            output.message("nothing was deleted")
            sys.exit(EXIT_NOT_DELETED)
        now = time.time_ns() // 1_000_000
        found = delete(store, list(runs.values()), now=now, keep_registered=keep_registered)
        for doomed in found:
            for run_id, version in doomed.registered:
                log.info("kept run %s, which version %d of %s came from", run_id, version.version, version.name)
            output.message(f"deleted {doomed.label}; back with: hpo restore {doomed.run.id[:8]}")
        send_sweeps(store, [doomed.sweep.id for doomed in found], os.environ)
