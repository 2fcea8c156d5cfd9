"""`hpo ls`: the sweeps of a store, latest first."""

import logging
import time

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)


@click.command("ls")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="The latest N sweeps.")
@click.option("--deleted", is_flag=True, help="Those that were deleted and can be restored.")
@options.shared
def command(shared: Shared, *, limit: int, deleted: bool) -> None:
    """List the sweeps of a store, latest first: state, trials by state, best value, start, duration.

    Parent runs that MLflow wrote are listed too. Deleted sweeps (--deleted) come back by: hpo restore.
    """
    from hpo.cli import output
    from hpo.cli.stores import open_to_read, store_name
    from hpo.cli.sweep_rows import sweep_object, sweeps_table
    from hpo.cli.text import iso_time
    from trackers.records import Order, Query

    with open_to_read(shared) as store:
        query = Query(sweeps=True, order=[Order("started", descending=True)], limit=limit, deleted=deleted)
        runs = store.tracker.find(query)
        counts = store.tracker.counts([run.id for run in runs])
    now = time.time() * 1000
    objects = [sweep_object(run, counts.get(run.id, {}), now) for run in runs]
    if deleted:
        objects = [{**fields, "deleted": iso_time(run.deleted)} for fields, run in zip(objects, runs, strict=True)]
    if not objects and deleted:
        log.info("%s holds no deleted sweeps", store_name(shared))
    elif not objects:
        log.info("%s holds no sweeps; start one with: hpo run FILE", store_name(shared))
    output.show(objects, sweeps_table(objects, short=shared.format == "table"), shared)
