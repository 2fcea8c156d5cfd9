"""The only module that prints: data to stdout or a file, messages to stderr."""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hpo.cli import formats
from hpo.cli.fields_view import Fields, as_field_table, as_fields
from hpo.cli.formats import Table
from hpo.cli.options import LOGGERS, Shared
from hpo.cli.text import lines
from hpo.errors import HpoError
from hpo.masking import hide_remembered

log = logging.getLogger(__name__)


def show(data: object, table: Table, shared: Shared) -> None:
    """Data in the format asked for: `data` as json and yaml, `table` otherwise."""
    if shared.format == "table":
        show_table(table, shared)
    elif shared.format == "csv":
        write(formats.as_csv(table), shared)
    elif shared.format == "md":
        write(formats.as_markdown(table), shared)
    else:
        show_data(data, shared)


def show_fields(data: object, fields: Fields, shared: Shared) -> None:
    """One thing with all its fields: `data` as json and yaml, `fields` otherwise."""
    if shared.format == "table":
        write(as_fields(fields), shared)
    else:
        show(data, as_field_table(fields), shared)


def show_data(data: object, shared: Shared) -> None:
    """Data as yaml if that is asked for, else as json."""
    write(formats.as_yaml(data) if shared.format == "yaml" else formats.as_json(data), shared)


def show_table(table: Table, shared: Shared) -> None:
    """Aligned text, nothing where there are no rows.

    On a terminal the last columns are left out where they do not fit, and named.
    """
    if not table.rows and shared.output is None:
        return
    if shared.output is None and sys.stdout.isatty():
        fitting = formats.fitting(table, shutil.get_terminal_size().columns)
        left_out = table.columns[len(fitting.columns) :]
        if left_out:
            log.info("not shown for want of room: %s; -f csv or a pipe shows all", ", ".join(left_out))
        table = fitting
    head, _, body = formats.as_table(table).partition("\n")
    write("\n".join(filter(None, [bold(head, shared), body])), shared)


def bold(text: str, shared: Shared) -> str:
    """The text in bold where colour is allowed."""
    return f"\x1b[1m{text}\x1b[0m" if shared.color and shared.output is None else text


def write(text: str, shared: Shared) -> None:
    """The text, made safe by the caller, and a newline to `-o FILE` (whole or not at all) or to stdout."""
    if shared.output is not None:
        write_file(shared.output, text + "\n")
        log.info("wrote %s", shared.output)
        return
    print(_encodable(text), file=sys.stdout, flush=True)


def write_file(path: Path, text: str) -> None:
    """A text file that appears under its name when it is whole."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to, renamed to the path when all went well; of a failure nothing stays."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(descriptor)
        part = Path(name)
        try:
            yield part
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HpoError(f"cannot write {path}: {error.strerror or error}") from error


def message(text: str) -> None:
    """Lines for people on stderr, made safe, without passwords; a closed stderr is no error."""
    with contextlib.suppress(OSError, ValueError):
        print(_encodable(lines(hide_remembered(text)), stderr=True), file=sys.stderr, flush=True)


def discard_stdout() -> None:
    """Sends what is still to be printed nowhere, so that the interpreter's last flush does not fail again."""
    with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:  # not every stdout is a file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextlib.contextmanager
def messages() -> Iterator[None]:
    """Shows on stderr what `hpo` and `trackers` log, from INFO up (`-q`: errors only, `-v`: all)."""
    handler, loggers = _Messages(), [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Messages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno == logging.WARNING else ""
        message(prefix + self.format(record))


def _encodable(text: str, *, stderr: bool = False) -> str:
    """The text in what the stream can encode; the rest as `\\u1234`."""
    encoding = getattr(sys.stderr if stderr else sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
