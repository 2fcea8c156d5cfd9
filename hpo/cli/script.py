"""A script beside the command `hpo`: errors become its exit codes and a last line, as for every verb."""

import logging

import click

from hpo.cli import output
from hpo.cli.main import INTERRUPTED, exit_code, last_line
from hpo.errors import HpoError
from trackers.errors import TrackerError


class Script(click.Command):
    """A click command for `@click.command(cls=Script)`; what nobody foresaw stays a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs the script."""
        with output.messages():
            for name in ("hpo", "trackers"):  # until messages() ends; a script says itself what it did
                logging.getLogger(name).setLevel(logging.WARNING)
            try:
                return super().invoke(ctx)
            except (HpoError, TrackerError) as error:
                output.message(last_line(error))
                ctx.exit(exit_code(error))
            except KeyboardInterrupt:
                output.message("interrupted")
                ctx.exit(INTERRUPTED)
