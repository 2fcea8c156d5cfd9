"""Options that several verbs share; the one place where the environment is read."""

import functools
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from hpo.cli.formats import ENDINGS, FORMATS
from hpo.places import DEFAULT_STORE, URI_VARIABLES, is_server, places_of

DEFAULT_TRACKER = DEFAULT_STORE
LOGGERS = ("hpo", "trackers")
DEBUG = "hpo.debug"
"""The key in click's `Context.meta` under which `--debug` is known to `main`."""

Verb = Callable[..., None]


@dataclass(frozen=True)
class Shared:
    """What the shared options say.

    `tracker` is the store's URI, `tracker_from` where it was named: `--tracker`, HPO_TRACKER, MLFLOW_TRACKING_URI or
    `` (the default). Where an MLflow server was named, it stands in `mirrors`, and the store is the next one that was.
    `given` is what `--tracker` says. `color`: stdout is a terminal and nobody objects.
    """

    tracker: str = DEFAULT_TRACKER
    tracker_from: str = ""
    mirrors: tuple[str, ...] = ()
    given: str | None = None
    format: str = "table"
    output: Path | None = None
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    color: bool = False


def shared(verb: Verb) -> Verb:
    """Gives a verb `--tracker -f -o -q -v --debug --no-color`, handed over as one argument `shared`."""
    return tracker_option(_format(_output(_gathered(verb))))


def store_only(verb: Verb) -> Verb:
    """Like `shared`, without `-f` and `-o`: for a verb whose output has one form."""
    return tracker_option(_gathered(verb))


def common_options(verb: Verb) -> Verb:
    """Gives a verb `-q -v --debug --no-color`."""
    for option in reversed(COMMON):
        verb = option(verb)
    return verb


def add_common(command: click.Command) -> click.Command:
    """Gives a finished command those of `-q -v --debug --no-color` that it lacks; they act without its doing."""
    known = {name for parameter in command.params for name in parameter.opts}
    for parameter in _common_parameters():
        if not known & set(parameter.opts):
            parameter.expose_value = False
            command.params.append(parameter)
    return command


def tracker_uri(given: str | None = None) -> tuple[str, str]:
    """The store's URI and where it was named: as given, else the environment, else MLflow's default file.

    The address of a server names no store: the next one counts.
    """
    for source, uri in _named(given):
        if uri and not is_server(uri):
            return uri, source
    return DEFAULT_TRACKER, ""


def _named(given: str | None) -> list[tuple[str, str | None]]:
    return [("--tracker", given), *((name, os.environ.get(name)) for name in URI_VARIABLES)]


def format_of(path: Path | None) -> str:
    """The format that the ending of a file name asks for, else table."""
    return ENDINGS.get(path.suffix.lower(), "table") if path else "table"


def _quiet(context: click.Context, _: click.Parameter, value: bool) -> bool:
    return _set_level(context, value, logging.ERROR)


def _verbose(context: click.Context, _: click.Parameter, value: bool) -> bool:
    return _set_level(context, value, logging.DEBUG)


def _set_level(context: click.Context, wanted: bool, level: int) -> bool:
    if wanted and not context.resilient_parsing:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(level)
    return wanted


def _debug(context: click.Context, _: click.Parameter, value: bool) -> bool:
    context.meta[DEBUG] = bool(value) or bool(context.meta.get(DEBUG))
    return value


tracker_option = click.option(
    "--tracker",
    metavar="URI",
    help=f"The tracking store; else $HPO_TRACKER, else $MLFLOW_TRACKING_URI, else {DEFAULT_TRACKER}.",
)
_format = click.option("-f", "--format", type=click.Choice(FORMATS), help="How to print; else as FILE's name says.")
_output = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to FILE, not stdout."
)
COMMON = (
    click.option("-q", "--quiet", is_flag=True, callback=_quiet, help="Errors only on stderr."),
    click.option("-v", "--verbose", is_flag=True, callback=_verbose, help="More messages on stderr."),
    # eager: known before any other option can fail
    click.option("--debug", is_flag=True, is_eager=True, callback=_debug, help="Show the traceback of an error."),
    click.option("--no-color", is_flag=True, help="No colour; so does NO_COLOR in the environment."),
)


def _common_parameters() -> list[click.Parameter]:
    @common_options
    def nothing() -> None: ...

    return click.command(nothing).params


def _gathered(verb: Verb) -> Verb:
    @functools.wraps(verb)
    def with_shared(**given: object) -> None:
        output = given.pop("output", None)
        path = output if isinstance(output, Path) else None
        wanted = _text(given.pop("tracker", None))
        uri, source = tracker_uri(wanted)
        no_color = given.pop("no_color", False)
        gathered = Shared(
            tracker=uri,
            tracker_from=source,
            mirrors=places_of(uri for _, uri in _named(wanted)).mirrors,
            given=wanted,
            format=_text(given.pop("format", None)) or format_of(path),
            output=path,
            quiet=bool(given.pop("quiet", False)),
            verbose=bool(given.pop("verbose", False)),
            debug=bool(given.pop("debug", False)),
            color=not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty(),
        )
        verb(shared=gathered, **given)

    return common_options(with_shared)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
