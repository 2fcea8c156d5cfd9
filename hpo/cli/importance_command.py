"""`hpo importance`: which parameters of a sweep matter."""

import logging

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)


@click.command("importance")
@click.argument("sweep", default="@latest")
@click.option("--metric", help="What decides this metric, instead of the sweep's.")
@click.option("--goal", type=click.Choice(["minimize", "maximize"]), help="Which way is better; else the sweep's goal.")
@click.option("--where", default="", metavar="FILTER", help='Only trials such as "params.lr < .01".')
@click.option(
    "--method",
    type=click.Choice(["ped-anova", "fanova"]),
    default="ped-anova",
    show_default=True,
    help="ped-anova: what sets the best tenth of the trials apart; fanova: what makes the metric vary.",
)
@options.shared
def command(shared: Shared, sweep: str, metric: str | None, goal: str | None, where: str, method: str) -> None:
    """Say which parameters of SWEEP (the latest if not named) matter, largest share first.

    It rests on the COMPLETE trials, ten at least. A parameter with a condition counts within its branch only: the
    first shares are those of all trials, the others of the trials that the branch names.
    """
    from hpo.cli import output
    from hpo.cli.formats import Table
    from hpo.cli.rank_question import asked_goal, asked_metric
    from hpo.cli.stores import check_filter, open_to_read, store_name
    from hpo.importance import importance
    from hpo.naming import find_sweep

    check_filter(where)
    with open_to_read(shared) as store:
        parent = find_sweep(store.tracker, sweep, store_name(shared))
        asked = metric or asked_metric(store.tracker, parent)
        wanted = asked_goal(parent, goal, asked)
        found = importance(store.tracker, parent, asked, wanted, method=method, where=where)
    log.info("%s: what decides %s (%s), by %s over %d trials", parent.name, asked, wanted, method, found.trials)
    for name, trials in found.too_few.items():
        log.info("nothing can be said where %s: %d complete trials, 10 are needed", name, trials)
    shares = [(of, name, share) for of in found.branches for name, share in of.importances.items()]
    objects = [
        {"branch": of.branch or None, "parameter": name, "importance": share, "trials": of.trials}
        for of, name, share in shares
    ]
    rows = [
        {"branch": of.branch or "all trials", "parameter": name, "importance": round(share, 3), "trials": of.trials}
        for of, name, share in shares
    ]
    output.show(objects, Table(["branch", "parameter", "importance", "trials"], rows), shared)
