"""`hpo trials`: the trials of a sweep."""

import logging

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)
STATES = ("WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAILED")


@click.command("trials")
@click.argument("sweep", default="@latest")
@click.option("--state", "states", type=click.Choice(STATES, case_sensitive=False), multiple=True, help="Only these.")
@click.option("--sort", metavar="KEY", help="value, number, seconds, metrics.x, params.x, ..; -KEY: largest first.")
@click.option(
    "--where", default="", metavar="FILTER", help="Only trials such as \"params.lr < .01 and state = 'FAILED'\"."
)
@click.option("-n", "--limit", type=click.IntRange(1), help="At most N trials.")
@click.option("--columns", metavar="NAME,NAME..", help="These columns only, in a table, CSV or Markdown.")
@options.shared
def command(
    shared: Shared,
    sweep: str,
    states: tuple[str, ...],
    sort: str | None,
    where: str,
    limit: int | None,
    columns: str | None,
) -> None:
    """List the trials of SWEEP (the latest if not named), by number."""
    from hpo.cli import output
    from hpo.cli.sort_key import order_of
    from hpo.cli.stores import check_filter, open_to_read, store_name
    from hpo.cli.trial_rows import trial_object, trials_table, with_columns
    from hpo.front_on_record import several_of
    from hpo.naming import find_sweep
    from trackers.records import Query

    check_filter(where)
    with open_to_read(shared) as store:
        parent = find_sweep(store.tracker, sweep, store_name(shared))
        order = order_of(store.tracker, parent, sort) if sort else ()
        query = Query(parent=parent.id, where=_condition(where, states), order=order, limit=limit)
        runs = store.tracker.find(query)
        counts = store.tracker.counts([parent.id]).get(parent.id, {}) if not runs else {}
    metric, several = parent.sweep.metric if parent.sweep else None, several_of(parent)
    if not runs:
        log.info("%s: no trial fits, of %d", parent.name, sum(counts.values()))
    table = trials_table(runs, metric, short=shared.format == "table", several=several)
    objects = [trial_object(run, metric, several) for run in runs] if shared.format in ("json", "yaml") else []
    output.show(objects, with_columns(table, columns), shared)


def _condition(where: str, states: tuple[str, ...]) -> str:
    chosen = ", ".join(f"'{state}'" for state in states)
    parts = [f"({where})" if where else "", f"state IN ({chosen})" if chosen else ""]
    return " AND ".join(part for part in parts if part)
