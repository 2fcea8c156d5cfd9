"""`hpo compare`: several sweeps side by side, as a table and as a picture."""

import logging
from dataclasses import replace

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)

PICTURES = (".png", ".svg", ".pdf")


@click.command("compare")
@click.argument("sweeps", nargs=-1, required=True, metavar="SWEEP SWEEP..")
@click.option("--metric", help="Compare by this metric of the trials, instead of the sweeps' own.")
@click.option("--goal", type=click.Choice(["minimize", "maximize"]), help="Which way it is better, where none says.")
@options.shared
def command(shared: Shared, *, sweeps: tuple[str, ...], metric: str | None, goal: str | None) -> None:
    """Compare sweeps: what each reached, how fast, and what of settings, data and code is not the same.

    With -o FILE.png (or .svg, .pdf) a picture too: the best so far against trials and against seconds, and how the
    values are distributed.
    """
    from hpo.cli import output
    from hpo.cli.compare_view import compare_object, compare_table, compare_tables, compare_text, verdict_text
    from hpo.cli.stores import open_to_read, store_name
    from hpo.errors import ConfigError
    from hpo.naming import find_sweep
    from hpo.sweep_compare import compare
    from hpo.trial import Goal

    with open_to_read(shared) as store:
        found = [find_sweep(store.tracker, text, store_name(shared)) for text in sweeps]
        parents = list({run.id: run for run in found}.values())
        if len(parents) < 2:
            raise ConfigError(f"to compare takes two sweeps or more, got {parents[0].name!r} alone")
        comparison = compare(store.tracker, parents, metric=metric, goal=Goal(goal) if goal else None)
    picture = shared.output if shared.output and shared.output.suffix.lower() in PICTURES else None
    if picture is not None:
        from hpo.comparison_plot import plot_comparison
        from hpo.drawing import save_figure

        figure = plot_comparison(comparison)
        with output.whole_file(picture) as part:
            save_figure(figure, part, picture.suffix.lower()[1:])
        log.info("wrote %s", picture)
        shared = replace(shared, output=None)
    log.info("%s", verdict_text(comparison))
    if shared.format == "table":
        output.write(compare_text(compare_tables(comparison)), shared)
    else:
        output.show(compare_object(comparison), compare_table(comparison), shared)
