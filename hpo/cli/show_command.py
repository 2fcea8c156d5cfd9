"""`hpo show`: all that is known of one sweep or one trial."""

import time

import click

from hpo.cli import options
from hpo.cli.options import Shared


@click.command("show")
@click.argument("name", metavar="SWEEP|SWEEP#17", default="@latest")
@options.shared
def command(shared: Shared, name: str) -> None:
    """Show a sweep (the latest if not named): its settings, counts, best trial, and what was registered.

    Of a trial, SWEEP#17: params, metrics, state, error and traceback, tags, artifacts, models.
    """
    from hpo.cli import output
    from hpo.cli.stores import open_to_read, store_name
    from hpo.cli.sweep_view import SweepView, is_sweep
    from hpo.cli.trial_view import trial_details, trial_fields
    from hpo.naming import find_run

    store_text = store_name(shared)
    with open_to_read(shared) as store:
        run = find_run(store.tracker, name, store_text)
        if is_sweep(store.tracker, run):
            now = time.time() * 1000
            view = SweepView.read(store, run, store=store_text, now=now)
            data, fields = view.details(), view.for_people()
        else:
            data, fields = trial_details(store.tracker, run), trial_fields(store.tracker, run)
    output.show_fields(data, fields, shared)
