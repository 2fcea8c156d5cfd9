"""The command `hpo`: finds the verb, imports only that, and turns errors into exit codes and a last line."""

import importlib
import sys
import traceback

import click
from click.shell_completion import CompletionItem

from hpo.cli import output
from hpo.cli.options import DEBUG, Shared, add_common
from hpo.config.nearest import did_you_mean
from hpo.errors import ClusterUnavailable, ConfigError, HpoError, ProvenanceError, SweepOwned, TooManyFailures
from trackers.errors import FilterError, InvalidRecord, StoreUnavailable, Superseded, TrackerError

VERBS: dict[str, tuple[str, str]] = {
    "init": ("hpo.cli.init_command", "Write a sweep file to start from."),
    "check": ("hpo.cli.check_command", "Check sweep files; nothing is run."),
    "run": ("hpo.cli.run_command", "Run a sweep file, or go on where it stopped."),
    "resume": ("hpo.cli.resume_command", "Go on with a sweep on record, without its file."),
    "mirror": ("hpo.cli.mirror_command", "Send what an MLflow server still lacks of a sweep."),
    "stop": ("hpo.cli.stop_command", "Ask the driver of a sweep to end cleanly."),
    "ls": ("hpo.cli.ls_command", "List the sweeps of a store."),
    "show": ("hpo.cli.show_command", "Show a sweep, or one trial with all that is known of it."),
    "trials": ("hpo.cli.trials_command", "List the trials of a sweep."),
    "best": ("hpo.cli.best_command", "Rank the trials of a sweep, best first."),
    "importance": ("hpo.cli.importance_command", "Say which parameters of a sweep matter."),
    "compare": ("hpo.cli.compare_command", "Compare sweeps: what each reached, and how fast."),
    "diff": ("hpo.cli.diff_command", "Show what differs between two trials, or two sweeps."),
    "data": ("hpo.cli.data_command", "List the data sets that runs read, or show in what they differ."),
    "replay": ("hpo.cli.replay_command", "Run recorded trials again, and say whether they give the same numbers."),
    "logs": ("hpo.cli.logs_command", "Print the traceback and the output of a trial."),
    "register": ("hpo.cli.register_command", "Register the model of a sweep's best trial, or of one trial."),
    "models": ("hpo.cli.models_command", "List registered models and their versions."),
    "promote": ("hpo.cli.promote_command", "Point an alias at a version of a model, or move it to a stage."),
    "rollback": ("hpo.cli.rollback_command", "Point an alias at the version it pointed to before."),
    "history": ("hpo.cli.history_command", "Show who changed what of a model when, or what was live on a day."),
    "annotate": ("hpo.cli.annotate_command", "Edit the description and the tags of a version, a sweep or a trial."),
    "export": ("hpo.cli.export_command", "Write the trials of a sweep to a CSV, Parquet or JSON file."),
    "delete": ("hpo.cli.delete_command", "Delete sweeps or trials; they can still be restored."),
    "restore": ("hpo.cli.restore_command", "Bring deleted sweeps or trials back."),
    "gc": ("hpo.cli.gc_command", "List, or remove for good, what nobody needs or was deleted long ago."),
    "db": ("hpo.cli.db_command", "Upgrade a store's database, or write it for MLflow 2."),
    "report": ("hpo.cli.report_command", "Write a sweep to one HTML file, or to Markdown with pictures."),
    "ui": ("hpo.cli.ui_command", "Serve a live, read-only page of sweeps, trials and models."),
    "schema": ("hpo.cli.schema_command", "Print the JSON Schema of the sweep file."),
    "doctor": ("hpo.cli.doctor_command", "Check installation and store, and say how to mend what is wrong."),
    "completion": ("hpo.cli.completion_command", "Print the completion script of a shell."),
}
"""Every verb: the module whose `command` it is, and its line in `hpo --help`, which imports none of them."""

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (TooManyFailures, 3),
    (SweepOwned, 5),
    (ConfigError, 2),
    (ProvenanceError, 2),
    (ClusterUnavailable, 75),
    (HpoError, 1),
    (FilterError, 2),
    (InvalidRecord, 2),
    (StoreUnavailable, 75),
    (Superseded, 6),
    (TrackerError, 1),
)
"""What an error means to the caller (docs/commands): the first class that fits."""

INTERRUPTED = 130
STDOUT_CLOSED = 141
"""128 + SIGPIPE, what a shell reports of a program whose reader went away."""


class Verbs(click.Group):
    """A group that knows its commands by name and help line, and imports one when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """All verbs, in the order of work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a verb, imported now; None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[cmd_name][0]).command
        return add_common(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb to run; a usage error with the nearest verb where there is none."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"no command '{args[0]}'{did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of verbs in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs that begin so, without importing any."""
        verbs = [CompletionItem(verb, help=line) for verb, (_, line) in VERBS.items() if verb.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the verb; the one place where errors become exit codes."""
        with output.messages():
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.exceptions.Exit):
                raise
            except (KeyboardInterrupt, click.Abort):
                output.message("interrupted")
                ctx.exit(INTERRUPTED)
            except BrokenPipeError:
                output.discard_stdout()
                ctx.exit(STDOUT_CLOSED)
            except Exception as error:
                if ctx.meta.get(DEBUG):
                    output.message("".join(traceback.format_exception(error)))
                output.message(last_line(error))
                ctx.exit(exit_code(error))


def exit_code(error: Exception) -> int:
    """The exit code of an error; 1 for one that nobody foresaw."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def last_line(error: Exception) -> str:
    """What an error says at the end of stderr."""
    if not isinstance(error, HpoError | TrackerError):
        return f"Error: {type(error).__name__}: {error}; run again with --debug for the traceback"
    if isinstance(error, FilterError):  # its other lines show the place
        fault, _, place = str(error).partition("\n")
        return f"{place}\nError: {fault}".lstrip("\n")
    # a checked sweep file brings lines of its own, `file:line:column: error: ..`
    return str(error) if ": error: " in str(error) else f"Error: {error}"


def version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        output.write(f"hpo {version('tracked-hpo')}, Python {sys.version.split()[0]}", Shared())
        ctx.exit()


@click.command(
    "hpo",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: hpo init, then hpo run sweep.yaml. Help on a verb: hpo run --help.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version, help="Show the version.")
def main() -> None:
    """Search hyperparameters as one YAML file says, with every trial on record.

    A sweep is named by its name, the beginning of its run id, or @latest; a trial by SWEEP#17, or 17 in the latest
    sweep.
    """
