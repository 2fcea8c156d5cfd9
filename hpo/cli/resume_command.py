"""`hpo resume`: go on with a sweep on record, without its file."""

import click

from hpo.cli.options import Shared, shared


@click.command("resume")
@click.argument("sweep", metavar="SWEEP", default="@latest")
@click.option("-n", "--more", type=click.IntRange(min=1), metavar="MORE", help="Add this many trials to its budget.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again, under their number and with their params.")
@click.option("--require-register", is_flag=True, help="Exit 4 where a gate of register: refuses the winner.")
@click.option("--takeover", is_flag=True, help="Take the sweep from the driver that has it, even if that one is alive.")
@shared
def command(
    shared: Shared, *, sweep: str, more: int | None, retry_failed: bool, require_register: bool, takeover: bool
) -> None:
    """Go on with a SWEEP (the latest if not named) that was interrupted, or whose driver died.

    Everything it needs stands in the store, but the code of a Python objective and data files, which are looked for
    where the sweep was started. Trials that ended stay as they are; open ones run again with the same params.
    """
    from hpo.cli.driving import Driving
    from hpo.cli.stores import open_to_read, store_name
    from hpo.front_on_record import goals_of
    from hpo.naming import find_sweep
    from hpo.search import resume

    with open_to_read(shared) as store:
        found = find_sweep(store.tracker, sweep, store_name(shared))
    metrics = list(goals_of(found.sweep)) if found.sweep else [""]
    Driving(shared, shared.tracker, name=found.name, metrics=metrics, require_register=require_register).drive(
        lambda watcher, interruption, named: resume(
            found.id,
            more=more or 0,
            retry_failed=retry_failed,
            takeover=takeover,
            tracker=shared.given,
            watcher=watcher,
            interruption=interruption,
            named=named,
        )
    )
