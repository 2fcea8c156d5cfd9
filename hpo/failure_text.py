"""An exception as text for people: one line, and a traceback that starts in the user's code, both bounded."""

import traceback
from pathlib import Path
from types import TracebackType

from hpo.plain import plain_text

LINE_LIMIT = 500
TRACEBACK_LIMIT = 20_000

_PACKAGE = str(Path(__file__).parent)


def failure_line(error: BaseException) -> str:
    """`TypeName: first line of the message`, at most 500 characters."""
    name = type(error).__name__
    try:
        message = str(error)
    except BaseException as broken:
        message = f"its message cannot be shown, __str__ raised {type(broken).__name__}"
    first = next((line.strip() for line in message[: 4 * LINE_LIMIT].splitlines() if line.strip()), "")
    line = f"{name}: {first}" if first else name
    return plain_text(line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 3] + "...")


def message_line(error: BaseException) -> str:
    """The first line of the message alone, at most 500 characters."""
    return failure_line(error).removeprefix(f"{type(error).__name__}: ")


def failure_traceback(error: BaseException) -> str:
    """The traceback with its causes, from the objective's frames on; above 20,000 characters the middle is cut."""
    frames = _user_frames(error.__traceback__)
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception as broken:
        text = "".join(traceback.format_tb(frames)) + f"{type(error).__name__} (shown in part: {broken!r})"
    return plain_text(_cut(text))


def _user_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leaves out this package's own frames at the start, unless there are no others."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        first = first.tb_next
    return first or frames


def _cut(text: str) -> str:
    if len(text) <= TRACEBACK_LIMIT:
        return text
    half = TRACEBACK_LIMIT // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n... {left_out} characters were cut here ...\n{text[-half:]}"
