"""`hpo restore`: bring deleted sweeps or trials back."""

import os
from collections.abc import Sequence

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("restore")
@click.argument("names", metavar="SWEEP|SWEEP#17...", nargs=-1, required=True)
@options.store_only
def command(shared: Shared, *, names: Sequence[str]) -> None:
    """Bring back what hpo delete (or MLflow) deleted: a sweep with the trials that went with it, or a trial.

    Of several deleted sweeps of a name the one deleted last; hpo ls --deleted lists them with their run ids. Refused
    where another sweep has the name by now, and once hpo gc has begun to remove files.
    """
    from hpo.cli import output
    from hpo.cli.stores import require_store, store_name
    from hpo.deletion import restore
    from hpo.mirrors.by_hand import send_sweeps
    from hpo.naming import find_deleted
    from trackers.opening import open_store

    require_store(shared)
    with open_store(shared.tracker) as store:
        sweeps: list[str] = []
        for name in names:
            run = find_deleted(store.tracker, name, store_name(shared))
            count = restore(store, run)
            below = f" and {count - 1} run{'' if count == 2 else 's'} below it" if count > 1 else ""
            output.message(f"restored {run.name}{below}")
            sweeps.append(run.parent_id or run.id)
        send_sweeps(store, sweeps, os.environ)
