"""`hpo report`: a sweep as one file to keep or to send."""

import logging
import os
import time
from pathlib import Path

import click

from hpo.cli import options
from hpo.cli.options import Shared

log = logging.getLogger(__name__)
ENDINGS = (".html", ".md")


def _ending(_: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{path}: the file's name must end in {' or '.join(ENDINGS)}", param=parameter)
    return path


@click.command("report")
@click.argument("sweep", default="@latest")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    callback=_ending,
    metavar="FILE",
    help="The file to write: .html, or .md with pictures beside it.",
)
@options.store_only
def command(shared: Shared, sweep: str, file: Path) -> None:
    """Write SWEEP (the latest if not named) to a file that needs no server.

    x.html is the page of `hpo ui` in one file; x.md is text with pictures, for a pull request (with the extra [plots]).
    """
    from hpo.cli import output
    from hpo.cli.stores import open_to_read, store_name
    from hpo.naming import find_sweep
    from hpo.report.answers import answers_of, page_of
    from hpo.views.commands import Commands

    with open_to_read(shared) as store:
        run = find_sweep(store.tracker, sweep, store_name(shared))
        page, commands, now = page_of(store, run), Commands(store.uri, os.environ), int(time.time() * 1000)
        if file.suffix.lower() == ".md":
            from hpo.report.markdown_report import with_pictures

            text = with_pictures(store, page, file, now=now, commands=commands)
        else:
            from hpo.report.html_report import html_report

            text = html_report(answers_of(store, page, now=now, commands=commands), f"{run.name} · hpo")
        output.write_file(file, text)
    log.info("wrote %s", file)
