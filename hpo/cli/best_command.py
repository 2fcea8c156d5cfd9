"""`hpo best`: the trials of a sweep, ranked."""

import logging

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)


@click.command("best")
@click.argument("sweep", default="@latest")
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True, help="The best N trials.")
@click.option("--metric", help="Rank by this metric instead of the sweep's.")
@click.option("--goal", type=click.Choice(["minimize", "maximize"]), help="Which way is better; else the sweep's goal.")
@click.option("--where", default="", metavar="FILTER", help='Only trials such as "params.lr < .01".')
@click.option("--plot", "is_plotted", is_flag=True, help="Draw the sweep's history in the terminal, above the table.")
@options.shared
def command(
    shared: Shared, *, sweep: str, limit: int, metric: str | None, goal: str | None, where: str, is_plotted: bool
) -> None:
    """Rank the trials of SWEEP (the latest if not named), best first.

    Only COMPLETE trials with a finite value are ranked; trials with the same value stand in the order of their numbers.
    Of a sweep by several metrics the front is shown: the trials that no other one beats.
    """
    from hpo import ranking
    from hpo.cli import output
    from hpo.cli.front_view import front_text
    from hpo.cli.rank_question import asked_goal, asked_metric, infeasible_text, why_none
    from hpo.cli.stores import check_filter, open_to_read, store_name
    from hpo.cli.trial_rows import trial_object, trials_table
    from hpo.front_on_record import front_of, several_of
    from hpo.naming import find_sweep

    check_filter(where)
    with open_to_read(shared) as store:
        parent = find_sweep(store.tracker, sweep, store_name(shared))
        ranked = metric or asked_metric(store.tracker, parent)
        several = several_of(parent)
        if several and metric is None:
            if goal is not None:
                raise click.UsageError("--goal says which way --metric is better: name one of the metrics too")
            front = front_of(store.tracker, parent, where)
            runs, heading = front.members[:limit], front_text(front, limit)
        else:
            wanted = asked_goal(parent, goal, ranked)
            runs = ranking.best(store.tracker, parent.id, ranked, wanted, limit=limit, where=where, infeasible_too=True)
            heading = f"best by {ranked} ({wanted}){infeasible_text(parent, runs)}"
        if not runs:
            raise why_none(store.tracker, parent, ranked, where)
        picture = ""
        if is_plotted and shared.format == "table":
            from hpo.cli.terminal_plot import history_picture  # pydantic with it, which nothing else here needs

            picture = history_picture(store, parent)
    log.info("%s: %s", parent.name, heading)
    own = parent.sweep.metric if parent.sweep else ranked
    first = None if ranked == own else ranked
    if picture:
        output.write(picture + "\n", shared)
    table = trials_table(runs, own, first=first, short=shared.format == "table", several=several)
    output.show([trial_object(run, own, several) for run in runs], table, shared)
