"""Whether an outcome that a host sends is one: its JSON may be anybody's, and the driver goes on with what is in it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from hpo.plain import STEP_LIMIT, plain_text
from hpo.trial import InputFile, Outcome, Report, SavedFile, SavedModel, State

ENDED = (State.COMPLETE, State.PRUNED, State.FAILED)
LONGEST = 1e10
"""Seconds that an attempt can have taken: 300 years."""

TEXT_LIMIT = 100_000
"""Characters of an error or a traceback; what a worker sends by itself is shorter."""

_FITS: dict[object, tuple[type, ...]] = {str: (str,), int: (int,), float: (float, int)}


def checked(outcome: Outcome, wanted: Sequence[str]) -> Outcome:
    """The outcome, its texts such as any store takes; TypeError or ValueError where something in it cannot be.

    A COMPLETE one has a finite number for each of the `wanted` metrics.
    """
    _one(outcome)
    for name in wanted if outcome.state is State.COMPLETE else ():
        if not math.isfinite(outcome.metrics.get(name, math.nan)):
            raise ValueError("no value of the sweep's metric")
    for each in outcome.replicates:
        _one(each)
        if each.replicates:
            raise ValueError("replicates of replicates")
    return replace(_plain(outcome), replicates=tuple(map(_plain, outcome.replicates)))


def _one(outcome: Outcome) -> None:
    _typed([outcome, *outcome.reports, *outcome.files, *outcome.models, *outcome.inputs])
    if outcome.state not in ENDED:
        raise ValueError("a trial that has not ended")
    if not (0 <= outcome.seconds <= LONGEST and 0 <= outcome.started < STEP_LIMIT // 2):
        raise ValueError("no such time")
    if not isinstance(outcome.metrics, dict) or not isinstance(outcome.tags, dict):
        raise TypeError("no mapping")
    _all(outcome.metrics.values(), float)
    _all(outcome.tags.values(), str)
    for path in [*(file.path for file in outcome.files), *(model.path for model in outcome.models)]:
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise ValueError("a file that lies elsewhere")


def _typed(records: Iterable[Outcome | Report | SavedFile | SavedModel | InputFile]) -> None:
    for record in records:
        for each in fields(record):
            if each.type in _FITS:
                _all([getattr(record, each.name)], each.type)


def _all(values: Iterable[object], kind: object) -> None:
    if not all(type(value) in _FITS[kind] for value in values):
        raise TypeError("a value of another type")


def _plain(outcome: Outcome) -> Outcome:
    error, traceback = plain_text(outcome.error[:TEXT_LIMIT]), plain_text(outcome.traceback[:TEXT_LIMIT])
    return replace(outcome, error=error, traceback=traceback)
