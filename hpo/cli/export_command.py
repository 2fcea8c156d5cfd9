"""`hpo export`: the trials of a sweep as a file."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared
from trackers.records import Run

log = logging.getLogger(__name__)
ENDINGS = (".csv", ".parquet", ".json")


def _ending(_: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{path}: the file's name must end in {', '.join(ENDINGS)}", param=parameter)
    return path


@click.command("export")
@click.argument("sweep", default="@latest")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    callback=_ending,
    metavar="FILE",
    help="The file to write: .csv, .parquet or .json.",
)
@click.option("--where", default="", metavar="FILTER", help='Only trials such as "params.lr < .01".')
@options.store_only
def command(shared: Shared, sweep: str, file: Path, where: str) -> None:
    """Write the trials of SWEEP (the latest if not named) to a file, which appears whole or not at all."""
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
