"""`hpo export`: the trials of a sweep as a file, or one trial as a folder that replays it."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo.cli import options
from hpo.cli.options import Shared
from trackers.records import Run

if TYPE_CHECKING:  # for the types only: they take time to import
    from hpo.captures import Capture
    from hpo.replaying.record import Record

log = logging.getLogger(__name__)
_FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
ENDINGS = (".csv", ".parquet", ".json")


def _ending(_: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{path}: the file's name must end in {', '.join(ENDINGS)}", param=parameter)
    return path


@click.command("export")
@click.argument("sweep", metavar="SWEEP|SWEEP#17", default="@latest")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_ending,
    metavar="FILE",
    help="The file to write: .csv, .parquet or .json.",
)
@click.option("--where", default="", metavar="FILTER", help='Only trials such as "params.lr < .01".')
@click.option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A new folder that replays SWEEP#17 without the store: hpo replay DIR.",
)
@click.option("--with-data", is_flag=True, help="Copy the data files into the project too.")
@click.option("--repository", type=_FOLDER, metavar="DIR", help="For a project: a clone that has the code's history.")
@click.option("--data", type=_FOLDER, metavar="DIR", help="For a project: where to look for data files too.")
@click.option(
    "--artifacts",
    type=_FOLDER,
    metavar="DIR",
    help="For a project: the store's files, where they are not where they were.",
)
@options.store_only
def command(
    shared: Shared,
    *,
    sweep: str,
    file: Path | None,
    where: str,
    project: Path | None,
    with_data: bool,
    repository: Path | None,
    data: Path | None,
    artifacts: Path | None,
) -> None:
    """Write the trials of SWEEP (the latest if not named) to a file, which appears whole or not at all.

    With --project write a folder with the code, the lock file and the record of one trial (or a registered model's,
    or of all trials of a sweep), which `hpo replay DIR` and `mlflow run DIR` run again without the store.
    """
    if (file is None) == (project is None):
        raise click.UsageError("give a file to write, -o FILE, or a folder, --project DIR")
    if project is not None:
        if where:
            raise click.UsageError("--where goes with -o FILE; name the trial of a project: SWEEP#17")
        from hpo.replaying.project import write_project

        record, capture = _recorded(shared, sweep, artifacts)
        write_project(record, capture, project, repository=repository, data=data, with_data=with_data)
        log.info("wrote %s to %s; replay it with: hpo replay %s", sweep, project, project)
    elif file is not None:
        _export(shared, sweep, file, where)


def _recorded(shared: Shared, what: str, artifacts: Path | None) -> "tuple[Record, Capture | None]":
    from hpo.cli.stores import artifact_places, open_to_read, store_name
    from hpo.recorded_name import find_recorded
    from hpo.replaying.on_record import record_of_run

    with open_to_read(shared) as store:
        run = find_recorded(store, what, store_name(shared))
        return record_of_run(store.tracker, run, artifact_places(shared, artifacts))


def _export(shared: Shared, sweep: str, file: Path, where: str) -> None:
    from hpo.cli.stores import check_filter, open_to_read, store_name
    from hpo.front_on_record import several_of
    from hpo.naming import find_sweep
    from trackers.records import Query

    check_filter(where)
    with open_to_read(shared) as store:
        parent = find_sweep(store.tracker, sweep, store_name(shared))
        runs = store.tracker.find(Query(parent=parent.id, where=where))
    _write(file, runs, parent.sweep.metric if parent.sweep else None, several_of(parent))
    log.info("wrote %d trials of %s to %s", len(runs), parent.name, file)


def _write(file: Path, runs: Sequence[Run], metric: str | None, several: Collection[str]) -> None:
    from hpo.cli import formats, output
    from hpo.cli.trial_rows import trial_object, whole_table

    ending = file.suffix.lower()
    if ending == ".json":
        output.write_file(file, formats.as_json([trial_object(run, metric, several) for run in runs]) + "\n")
        return
    table = whole_table(runs, metric, several)
    if ending == ".csv":
        output.write_file(file, formats.as_csv(table) + "\n")
        return
    from hpo.trials_parquet import write_parquet

    with output.whole_file(file) as part:
        write_parquet(part, table.columns, table.rows)
