"""`hpo stop`: ask the driver of a sweep to end cleanly."""

import sys
import time

import click

from hpo.cli import options
from hpo.cli.options import Shared

EXIT_NOT_STOPPED = 1
LOOK = 0.1
"""Seconds between two looks at whether the driver has ended."""


@click.command("stop")
@click.argument("sweep", metavar="SWEEP", default="@latest")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, metavar="SECONDS", help="How long to wait; 60.")
@options.store_only
def command(shared: Shared, *, sweep: str, wait: float) -> None:
    """Ask the driver of a SWEEP (the latest if not named) to end, wherever it runs, and wait until it has.

    Trials that are running get ten seconds to end; those that do not are run again when the sweep goes on. Exit 1 where
    nobody drives the sweep (results that a dead driver had not recorded go on record then, what else it left open is
    put to WAITING), and where the driver is still at work after the wait.
    """
    from hpo.cli import output
    from hpo.cli.stores import require_store, store_name
    from hpo.naming import find_sweep
    from hpo.stopping import Stopped, stop
    from trackers.opening import open_store

    require_store(shared)
    with open_store(shared.tracker) as store:
        run = find_sweep(store.tracker, sweep, store_name(shared))
        deadline = time.monotonic() + wait
        done = stop(store, run, waiting=lambda: time.sleep(LOOK), is_over=lambda: time.monotonic() > deadline)
    output.message(done.message)
    if done.how is not Stopped.STOPPED:
        sys.exit(EXIT_NOT_STOPPED)
