"""`hpo diff`: two trials, or two sweeps, side by side."""

from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("diff")
@click.argument("before", metavar="SWEEP#17")
@click.argument("after", metavar="SWEEP#21")
@click.option("--stat", is_flag=True, help="Which files of code differ, without their lines.")
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A clone that has the commits, where the code ran from is not here.",
)
@options.shared
def command(shared: Shared, *, before: str, after: str, stat: bool, repository: Path | None) -> None:
    """Show what differs between two trials, also of two sweeps: params, metrics, code, data, environment, seeds.

    Two sweeps, SWEEP SWEEP, are compared by the settings of their files instead of by params. MODEL@champion and
    MODEL@3 name the trial that a registered version came from. Exit 0 whether they differ or not.
    """
    from hpo.cli import output
    from hpo.cli.diff_view import diff_object, diff_table, diff_text
    from hpo.cli.stores import open_to_read, store_name
    from hpo.cli.sweep_view import is_sweep
    from hpo.provenance.repository import root_around
    from hpo.recorded_name import find_recorded
    from hpo.trial_diff import side_of, trial_diff

    with open_to_read(shared) as store:
        runs = [find_recorded(store, text, store_name(shared)) for text in (before, after)]
        sides = [side_of(store.tracker, run, is_sweep=is_sweep(store.tracker, run)) for run in runs]
        found = trial_diff(store.tracker, sides[0], sides[1], repository or root_around(Path.cwd()))
    if shared.format == "table":
        output.write(diff_text(found, stat=stat, color=shared.color and shared.output is None), shared)
    else:
        output.show(diff_object(found), diff_table(found), shared)
