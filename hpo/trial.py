"""A trial and what comes of it: the records that travel between driver, workers, samplers and store."""

import hashlib
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hpo.space import Params

Metrics = Mapping[str, float]

SYSTEM_METRICS = "system/"
"""With what the names of metrics begin that say what the machine was used for: they are no result of a trial."""


class State(StrEnum):
    """Where a trial stands; the last three are ended."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"


class Goal(StrEnum):
    """Which way a metric is better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value strictly beats another; any value beats none."""
        if than is None:
            return True
        return value < than if self is Goal.MINIMIZE else value > than


@dataclass(frozen=True)
class Trial:
    """One evaluated point; everything a worker needs to run it.

    `directory` is a scratch folder of this attempt (made by the executor), `artifact_uri` the place its kept files go.
    `bar` is the value a trial has to reach for its models to be kept: None keeps all, NaN keeps none. In a sweep by
    several metrics `front` holds the values of the best trials instead: none of them may be better in all.
    """

    number: int
    params: Params
    seed: int
    run_id: str = ""
    attempt: int = 1
    directory: str = ""
    artifact_uri: str = ""
    bar: float | None = None
    front: Sequence[tuple[float, ...]] = ()


@dataclass(frozen=True)
class Report:
    """One value of one metric at one step; `timestamp` is milliseconds since 1970, UTC."""

    metric: str
    value: float
    step: int
    timestamp: int


Curve = Mapping[int, float]
"""What a trial reported of the sweep's metric: value by step, steps ascending; see `curve`."""


@dataclass(frozen=True)
class Result:
    """What samplers and pruners are told of an ended trial: the value is None unless COMPLETE.

    In a sweep by several metrics `values` has all of them, and `value` is the first; else it is empty. `reason` as of
    an Outcome. `violation` says how far a complete trial is from the constraints on its metrics, 0 where it satisfies
    them, infinite where that cannot be told; None where there are none.
    """

    state: State
    value: float | None = None
    reason: str = ""
    curve: Curve = field(default_factory=dict)
    values: tuple[float, ...] = ()
    violation: float | None = None

    @property
    def is_feasible(self) -> bool:
        """Whether the trial may be the best: it satisfies the constraints on its metrics."""
        return not self.violation


@dataclass(frozen=True)
class Question:
    """A running trial asks whether to go on; `reports` are those of the sweep's metric since it last asked."""

    number: int
    attempt: int
    reports: Sequence[Report]


@dataclass(frozen=True)
class SavedFile:
    """A file the trial kept: its path below the run's artifacts, bytes, and sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class SavedModel:
    """A model folder the trial kept, `path` below the run's artifacts; `model_id` is MLflow's `m-<32 hex digits>`."""

    model_id: str
    name: str
    path: str
    flavor: str


@dataclass(frozen=True)
class InputFile:
    """A file or folder that was read: `digest` is the start of a sha256, `path` where it lay, as an absolute path.

    `context` says what it was read for, `schema` and `profile` are JSON texts, '' where nothing is known.
    """

    name: str
    digest: str
    path: str
    context: str = "training"
    schema: str = ""
    profile: str = ""


@dataclass(frozen=True)
class Outcome:
    """How one attempt of a trial ended.

    `reason` of a failure is one of exception, timeout, oom, signal:N, exit:N, no_result, nonfinite, invalid_result,
    lost, artifact; `error` its first line for people, `traceback` the rest. `started` is milliseconds since 1970, UTC;
    `seconds` the measured (monotonic) duration. `metrics` holds the final values, `reports` the values with steps.
    `replicates` are the outcomes that it is made of, in their order, where the point was run several times. `inputs` is
    what the trial said that it read.
    """

    number: int
    attempt: int
    state: State
    metrics: Metrics = field(default_factory=dict)
    reports: Sequence[Report] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[SavedFile] = ()
    models: Sequence[SavedModel] = ()
    reason: str = ""
    error: str = ""
    traceback: str = ""
    started: int = 0
    seconds: float = 0.0
    replicates: Sequence["Outcome"] = ()
    inputs: Sequence[InputFile] = ()


def curve(values: Iterable[tuple[int, float]]) -> Curve:
    """Steps and values, in the order reported, as a curve: of several values of one step the first counts.

    The store keeps an infinite value as the largest float there is, so that one is taken for infinite here too.
    """
    found: dict[int, float] = {}
    for step, value in values:
        if step not in found:
            found[step] = math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value
    return dict(sorted(found.items()))


def derive_seed(seed: int, number: int, purpose: str = "trial", attempt: int = 0) -> int:
    """A seed from 0 to 2**32 - 1 that depends on nothing but its arguments, equal on every machine.

    `attempt` above 0 gives further seeds for the same purpose.
    """
    again = f"#{attempt}" if attempt else ""
    digest = hashlib.sha256(f"{purpose}{again}:{seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def is_kept(value: float, bar: float | None, goal: Goal) -> bool:
    """Whether a trial of this value is to keep its models, given its bar (see `Trial.bar`)."""
    return bar is None or (not math.isnan(bar) and not goal.better(bar, than=value))
