"""`hpo data`: the data sets that runs read, and in what two lots of them differ."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.formats import Table
from hpo.cli.options import Shared
from hpo.provenance.changed import Changed
from trackers.opening import Store
from trackers.records import Dataset, Run

log = logging.getLogger(__name__)
COLUMNS = ("name", "digest", "rows", "columns", "bytes", "context", "runs", "version", "source")


@click.group("data")
def command() -> None:
    """List the data sets that runs read, or show in what two lots of them differ."""


@command.command("ls")
@click.argument("name", metavar="[SWEEP|SWEEP#17]", default="@latest")
@click.option("--all", "every", is_flag=True, help="Those of all runs in the store.")
@options.shared
def ls(shared: Shared, *, name: str, every: bool) -> None:
    """List the data sets that a sweep (the latest if not named) and its trials read, or a trial and its sweep.

    `runs` counts the runs among these that read it. `version` is DVC's or git's, if one of them has the file: that of
    git can be had by: git show COMMIT:PATH.
    """
    from hpo.cli import output
    from hpo.cli.stores import open_to_read, store_name
    from hpo.used_data import used_by
    from trackers.records import Query

    with open_to_read(shared) as store:
        runs = store.tracker.find(Query(datasets=True)) if every else _readers(store, shared, name)
    objects = [{**data_object(each.data), "runs": each.runs} for each in used_by(runs)]
    if not objects:
        what = store_name(shared) if every else f"{name} in {store_name(shared)}"
        log.info("no data sets are on record of %s; name files by capture.inputs, or by trial.log_input", what)
    length = 12 if shared.format == "table" else None
    rows = [{**each, "digest": str(each["digest"])[:length]} for each in objects]
    output.show(objects, Table(COLUMNS, rows), shared)


@command.command("diff")
@click.argument("before", metavar="SWEEP|SWEEP#17|FILE")
@click.argument("after", metavar="SWEEP|SWEEP#17|FILE")
@options.shared
def diff(shared: Shared, *, before: str, after: str) -> None:
    """Show in what the data of two sweeps or trials differs, or files: by name, rows, columns, and columns' values.

    What exists as a file or folder is one; MODEL@champion and MODEL@3 name the trial that a registered version came
    from. A file is compared with the data set that was made of it. Exit 0 whether they differ or not.
    """
    from hpo.cli import output

    changes = _differences(shared, before, after)
    if not changes:
        log.info("the same data")
    objects = [_change_object(change) for change in changes]
    if shared.format != "table":
        output.show(objects, Table(("name", "before", "after", "detail"), objects), shared)
    elif objects:
        output.write("\n".join(map(_change_text, changes)), shared)


def data_object(data: Dataset) -> dict[str, object]:
    """The documented fields of a data set; `columns` is how many, `profile` all that is said of them."""
    from hpo.data_record import DataFacts, profile_of

    facts = DataFacts.of(data)
    return {
        "name": data.name,
        "digest": data.digest,
        "rows": facts.rows,
        "columns": facts.count,
        "bytes": facts.size,
        "context": data.context,
        "version": facts.version,
        "source": facts.source,
        "profile": profile_of(data),
    }


def _readers(store: Store, shared: Shared, name: str) -> Sequence[Run]:
    from hpo.cli.stores import store_name
    from hpo.cli.sweep_view import is_sweep
    from hpo.recorded_name import find_recorded
    from hpo.used_data import readers_of

    run = find_recorded(store, name, store_name(shared))
    return readers_of(store.tracker, run, is_sweep=is_sweep(store.tracker, run))


def _differences(shared: Shared, before: str, after: str) -> Sequence[Changed]:
    from hpo.cli.stores import open_to_read
    from hpo.data_changes import data_changes
    from hpo.used_data import comparable, described_file, used_by

    described = {text: described_file(Path(text)) for text in (before, after) if Path(text).exists()}
    old, new = described.get(before), described.get(after)
    if old and new:
        return data_changes([replace(old, name=new.name)], [new])
    with open_to_read(shared) as store:
        read = {
            text: [used.data for used in used_by(_readers(store, shared, text))]
            for text in (before, after)
            if text not in described
        }
    if new:
        return data_changes(*comparable(read[before], new))
    if old:
        return data_changes(*reversed(comparable(read[after], old)))
    return data_changes(read[before], read[after])


def _change_object(change: Changed) -> dict[str, object]:
    return {"name": change.name, "before": change.before, "after": change.after, "detail": change.detail.splitlines()}


def _change_text(change: Changed) -> str:
    from hpo.cli.text import one_line

    first = one_line(f"{change.name}: {change.before or 'nothing'} -> {change.after or 'nothing'}")
    return "\n".join([first, *(f"  {one_line(line)}" for line in change.detail.splitlines())])
