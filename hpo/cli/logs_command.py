"""`hpo logs`: what a trial left to read when something went wrong."""

import logging

import click

from hpo.cli import options
from hpo.cli.options import Shared
from trackers.errors import NotFound
from trackers.records import Run

log = logging.getLogger(__name__)
LOG_FILE = "logs/output.log"
LARGEST = 16 << 20


@click.command("logs")
@click.argument("trial")
@options.shared
def command(shared: Shared, trial: str) -> None:
    """Print the error, the traceback and the output of TRIAL: SWEEP#17, or 17 in the latest sweep."""
    from hpo.cli import output
    from hpo.cli.stores import open_to_read, store_name
    from hpo.cli.text import lines
    from hpo.naming import find_trial

    with open_to_read(shared) as store:
        run = find_trial(store.tracker, trial, store_name(shared))
    facts, kept = run.trial, kept_log(run)
    if shared.format in ("json", "yaml"):
        number, error, traceback = (facts.number, facts.error, facts.traceback) if facts else (None, "", "")
        output.show_data(
            {"number": number, "run_id": run.id, "error": error, "traceback": traceback, "output": kept}, shared
        )
        return
    parts = [facts.traceback or facts.error if facts else "", kept or ""]
    text = "\n".join(part.rstrip("\n") for part in parts if part.strip())
    if text:
        output.write(lines(text), shared)
    else:
        log.info("%s left no traceback and no output; all that is known of it: hpo show %s", run.name, run.id[:8])


def kept_log(run: Run) -> str | None:
    """The first 16 MiB of what a trial printed, as kept among its artifacts; None where it kept none."""
    from trackers.artifacts import ArtifactFolder

    try:
        with ArtifactFolder().open(run.artifact_uri, LOG_FILE) as file:
            return file.read(LARGEST).decode("utf-8", "backslashreplace")
    except NotFound:
        return None
