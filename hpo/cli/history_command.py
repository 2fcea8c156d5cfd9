"""`hpo history`: every change of a registered model, or what was live on a day."""

import logging
import time

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)


@click.command("history")
@click.argument("name")
@click.option("--on", metavar="DAY", help="What was live then: 2026-05-01 (its end), or 2026-05-01T12:00Z; in UTC.")
@click.option("--alias", metavar="ALIAS", help="Only what concerns this alias.")
@click.option("--stage", metavar="STAGE", help="Only what concerns this stage.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="Only what concerns this version.")
@options.shared
def command(
    shared: Shared, *, name: str, on: str | None, alias: str | None, stage: str | None, version: int | None
) -> None:
    """Show who changed what of model NAME, when and why: registrations, aliases, stages, annotations.

    With --on: which version each alias and each stage had at the end of that day (or at that moment), since when, and
    what changed on the day. Days and times without a zone are UTC. Changes that were made without hpo bear the time at
    which they were seen.
    """
    from hpo.cli import output
    from hpo.cli.history_view import event_object, events_table, live_object, live_table
    from hpo.cli.stores import open_to_read
    from hpo.cli.text import iso_time
    from hpo.driver import login_name
    from hpo.model_history import Asked, History, places, selected

    asked = Asked.parse(on) if on is not None else None
    now = time.time_ns() // 1_000_000
    with open_to_read(shared) as store:
        history = History.read(store.registry, name, now=now, seen_by=login_name())
    if history.unnoted:
        log.warning(
            "%d change%s of %s made without hpo: seen now, and noted by the next change through hpo",
            len(history.unnoted), "s" if len(history.unnoted) > 1 else "", name,
        )  # fmt: skip
    events = selected(history.all, alias=alias, stage=stage, version=version)
    if asked is None:
        output.show([event_object(event) for event in events], events_table(events), shared)
        return
    if asked.end > now:
        log.info("%s is not over (in UTC): this is what is live now", asked.text)
    if history.all and asked.end <= history.all[0].at:
        log.info("the history of %s begins later, at %s", name, iso_time(history.all[0].at))
    found = places(events, asked)
    output.show(live_object(name, asked, now, found), live_table(found), shared)
