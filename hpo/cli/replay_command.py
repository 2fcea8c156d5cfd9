"""`hpo replay`: runs recorded trials again, and says whether they give the same numbers."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from hpo.cli import options
from hpo.cli.options import Shared

if TYPE_CHECKING:  # for the types only: they take time to import
    from hpo.replaying.comparison import Verdict
    from hpo.replaying.wishes import Wishes

EXIT_DIFFERS = 1
_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("replay")
@click.argument("what", metavar="SWEEP#17|SWEEP|MODEL@ALIAS|DIR")
@click.option(
    "--env",
    "environment",
    type=click.Choice(["same", "locked", "current"]),
    default="same",
    show_default=True,
    help="same: the packages here have to be those on record; locked: make an environment with those; "
    "current: whatever is here.",
)
@click.option(
    "--code",
    type=click.Choice(["recorded", "current"]),
    default="recorded",
    show_default=True,
    help="recorded: as it was, uncommitted edits too; current: as it lies there now.",
)
@click.option("--repository", type=_FOLDER, metavar="DIR", help="A clone that has the code's history.")
@click.option("--data", type=_FOLDER, metavar="DIR", help="Where to look for data files too; known by their content.")
@click.option(
    "--artifacts",
    type=_FOLDER,
    metavar="DIR",
    help="The store's files, where they are neither where they were nor beside it.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Another seed than the trial had.")
@click.option("-j", "--jobs", "slots", type=click.IntRange(1), default=1, metavar="N", help="Trials at the same time.")
@click.option(
    "--ignore", "ignored", multiple=True, metavar="METRIC", help="Do not compare this metric (a pattern); repeatable."
)
@click.option("--index", "indexes", multiple=True, metavar="URL", help="For --env locked: a further package index.")
@click.option("--find-links", "links", multiple=True, metavar="DIR", help="For --env locked: a folder of packages.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A copy of the code, and what trials kept and printed.",
)
@click.option("--no-record", is_flag=True, help="Put nothing on record.")
@options.shared
def command(
    shared: Shared,
    *,
    what: str,
    environment: str,
    code: str,
    repository: Path | None,
    data: Path | None,
    artifacts: Path | None,
    seed: int | None,
    slots: int,
    ignored: Sequence[str],
    indexes: Sequence[str],
    links: Sequence[str],
    keep: Path | None,
    no_record: bool,
) -> None:
    """Run a trial of the record again (of a SWEEP every one) and compare every metric with its record, bit by bit.

    Code, environment and data are those on record: rebuilt, checked, found by their content. A registered model
    stands for the trial that it came from, a folder of `hpo export --project` for its trial. What came of it is put on
    record as a run below the trial's. Exit 0: the same. Exit 1: not the same, and the first thing that differs is
    named; or there is no such trial, and stdout is empty. Exit 2: it cannot be run here, and why.
    """
    from hpo.cli.replay_view import show
    from hpo.cli.stores import artifact_places
    from hpo.provenance.installers import Supply
    from hpo.replaying.packages import environments_folder
    from hpo.replaying.wishes import Wishes

    supply = Supply(tuple(indexes), tuple(links))
    kept = environments_folder(os.environ)
    places = artifact_places(shared, artifacts)
    wishes = Wishes(environment, code, repository, data, seed, slots, ignored, supply, kept, places, keep)
    with _ended_by_signals():
        verdicts = _replayed(shared, what, wishes, records=not no_record)
    show(verdicts, shared)
    if not all(verdict.is_same for verdict in verdicts):
        sys.exit(EXIT_DIFFERS)


def _replayed(shared: Shared, what: str, wishes: "Wishes", *, records: bool) -> "Sequence[Verdict]":
    from hpo.cli.stores import open_to_read, require_store, store_name
    from hpo.mirrors.by_hand import send_sweeps
    from hpo.recorded_name import find_recorded
    from hpo.replaying.on_record import replay_project, replay_run
    from hpo.replaying.project import is_project
    from trackers.opening import open_store

    if is_project(Path(what)):
        return [done.verdict for done in replay_project(Path(what), wishes)]
    _require_no_folder(what)
    require_store(shared)
    with open_store(shared.tracker) if records else open_to_read(shared) as store:
        run = find_recorded(store, what, store_name(shared))
        verdicts = [done.verdict for done in replay_run(store.tracker, run, wishes, records=records)]
        if records:
            parents = [store.tracker.get(verdict.run_id).parent_id or "" for verdict in verdicts]
            send_sweeps(store, parents, os.environ)
        return verdicts


def _require_no_folder(what: str) -> None:
    """No sweep is called `./project` or `/home/me/project`: who says so means a project, which is not there."""
    from hpo.errors import ConfigError

    if what.startswith((".", "/")):
        raise ConfigError(f"{what} is no project that hpo export --project wrote: it has no trial.json and code")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the replay as Ctrl-C does: with nothing left behind."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
