"""How metrics are found in what a program prints, or in the file it writes."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hpo.errors import TrialFailed
from hpo.objectives.program_lines import texts
from hpo.objectives.told_metrics import ToldMetrics

Reader = Callable[[bytes], None]
"""Takes whole lines."""

STEP = "step"
LARGEST_FILE = 2**20
SEEN = 2_000
"""Bytes of a line that a pattern sees: matching may take the square of that, or worse."""

SLOWEST = 5.0
"""Seconds of a core that patterns may take for the lines of one read."""

_OBJECT_LINES = re.compile(rb"^[ \t]*\{.*$", re.MULTILINE)


def json_reader(told: ToldMetrics) -> Reader:
    """Reads lines that are JSON objects; one with a step is a report. All other lines are passed over."""

    def read(lines: bytes) -> None:
        # most of a flood is no candidate, and looking for a brace is ten times as fast as looking for one at a start
        candidates = _OBJECT_LINES.findall(lines) if b"{" in lines else []
        for line in texts(b"\n".join(candidates)):
            record = _object(line)
            if record is not None and STEP in record:
                told.report(record.pop(STEP), record)
            elif record is not None:
                told.tell(record)

    return read


def pattern_reader(patterns: Sequence[str], told: ToldMetrics) -> Reader:
    """Reads every match of every pattern: each named group is a metric, and with one named step it is a report."""
    compiled = [re.compile(pattern) for pattern in patterns]

    def read(lines: bytes) -> None:
        began = time.thread_time()
        for line in texts(lines, SEEN):
            for pattern in compiled:
                for match in pattern.finditer(line):
                    _tell_match(match, told)
                if time.thread_time() - began > SLOWEST:
                    raise TrialFailed(
                        "invalid_result", f"the pattern {pattern.pattern!r} takes too long: {line[:60]!r}"
                    )

    return read


def _tell_match(match: re.Match[str], told: ToldMetrics) -> None:
    groups = match.groupdict()
    step = groups.pop(STEP, None)
    values = {name: value for name, text in groups.items() if (value := _number(text)) is not None}
    if step is None:
        told.tell(values)
    else:
        number = _number(step)
        told.report(step if number is None else number, values)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def read_file(path: Path, told: ToldMetrics) -> None:
    """Reads the JSON object a program has written."""
    record = _file_object(path)
    nested = next((name for name, value in record.items() if isinstance(value, dict | list)), None)
    if nested is not None:
        raise TrialFailed("invalid_result", f"{path.name}: {nested!r} must be a number, got an object or a list")
    told.tell(record)


def _file_object(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise TrialFailed("no_result", f"the program ended well but wrote no {path}") from None
    except OSError as error:
        raise TrialFailed("invalid_result", f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise TrialFailed("invalid_result", f"{path} is larger than {LARGEST_FILE:,} bytes")
    record = _object(content.decode("utf-8-sig", "replace"))
    if record is None:
        raise TrialFailed("invalid_result", f'{path} must hold a JSON object, such as {{"loss": 0.5}}')
    return record


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
