"""How a sweep came to its best: how good that was after so many trials, and after so many seconds."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpo.constraints import INFEASIBLE_TAG
from hpo.front import FrontSoFar, Goals, Values, hypervolume
from hpo.front_on_record import values_of
from hpo.progress import seconds_used
from hpo.trial import Goal, State
from trackers.records import Run, Status

Span = tuple[int, int]
"""From when to when, in milliseconds since 1970."""
_VOLUMES = 100
"""So often the volume of more than two metrics is computed along a sweep: it takes milliseconds each time."""


@dataclass(frozen=True)
class Step:
    """An ended trial: when it ended, in seconds of the sweep, and its values, empty unless it may be the best."""

    seconds: float
    values: Values = ()


@dataclass(frozen=True)
class Course:
    """The best so far along a sweep; of several metrics that is the hypervolume, of which more is better.

    `by_trial` has it after the first trial, the first two, .., by number (None: nothing yet); `by_seconds` each time it
    got better, with the seconds of the sweep; `values` those of all trials that may be the best, by number.
    """

    goal: Goal
    by_trial: Sequence[float | None] = ()
    by_seconds: Sequence[tuple[float, float]] = ()
    values: Sequence[Values] = ()

    @property
    def best(self) -> float | None:
        """The best in the end; None where no trial has a value."""
        return self.by_trial[-1] if self.by_trial else None

    def trials_to(self, value: float | None) -> int | None:
        """How many trials it took to be as good as that; None where it never was."""
        reached = (at for at, best in enumerate(self.by_trial, start=1) if self._reaches(best, value))
        return next(reached, None)

    def seconds_to(self, value: float | None) -> float | None:
        """How many seconds it took to be as good as that; None where it never was."""
        return next((seconds for seconds, best in self.by_seconds if self._reaches(best, value)), None)

    def _reaches(self, best: float | None, value: float | None) -> bool:
        return best is not None and value is not None and not self.goal.better(value, than=best)


def steps_of(sweep: Run, runs: Sequence[Run], goals: Goals) -> Sequence[Step]:
    """The ended trials, by number; failed, pruned and infeasible ones took their time and have no values."""
    ended = [(run, run.started or 0, run.ended) for run in runs if run.ended is not None]
    begun = sweep.started if sweep.started is not None else min((start for _, start, _ in ended), default=0)
    seconds = clock(begun, [(start, end) for _, start, end in ended], seconds_used(sweep.tags))
    return [Step(seconds(end), _values(run, goals)) for run, _, end in ended]


def course(steps: Sequence[Step], goals: Goals, reference: Values = ()) -> Course:
    """The course over these steps; by several metrics the volume is measured from the reference."""
    ways = tuple(goals.values())

    def follow() -> Follow:
        return _best_so_far(ways[0]) if len(ways) == 1 else _volume_so_far(ways, reference, steps)

    goal = ways[0] if len(ways) == 1 else Goal.MAXIMIZE
    values = [step.values for step in steps if step.values]
    return Course(goal, _followed(steps, follow()), _improvements(steps, follow()), values)


def clock(begun: int, spans: Sequence[Span], used: float) -> Callable[[int], float]:
    """From a time to the seconds in which a sweep was driven until then, without pauses and what goes before.

    `used` is how many seconds its drivers were at work (0: not known). What the clock counts beyond that is taken out
    of the longest stretches in which no trial ran, at their ends.
    """
    gaps, reached = [], begun
    for start, end in sorted(spans):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
    excess = (reached - begun) / 1000 - used if used else 0.0
    pauses: list[Span] = []
    for start, end in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        cut = min(end - start, max(0, round(excess * 1000)))
        pauses.append((end - cut, end))
        excess -= cut / 1000
    return lambda at: max(0.0, (at - begun - sum(min(at, end) - start for start, end in pauses if start < at)) / 1000)


Follow = Callable[[Values], float | None]
"""Takes in the next trial's values and gives the best so far."""


def _values(run: Run, goals: Goals) -> Values:
    """Empty for a trial that cannot be the best."""
    is_complete = run.trial.state == State.COMPLETE if run.trial else run.status is Status.FINISHED
    values = values_of(run.metrics, goals) if is_complete and goals and INFEASIBLE_TAG not in run.tags else ()
    # the largest number is how MLflow keeps infinity
    return values if all(abs(value) < sys.float_info.max for value in values) else ()


def _followed(steps: Sequence[Step], follow: Follow) -> list[float | None]:
    return [follow(step.values) for step in steps]


def _improvements(steps: Sequence[Step], follow: Follow) -> list[tuple[float, float]]:
    """By time, since trials end in another order than that of their numbers."""
    found: list[tuple[float, float]] = []
    for step in sorted(steps, key=lambda step: step.seconds):
        best = follow(step.values)
        if best is not None and (not found or best != found[-1][1]):
            found.append((step.seconds, best))
    return found


def _best_so_far(goal: Goal) -> Follow:
    best: float | None = None

    def follow(values: Values) -> float | None:
        nonlocal best
        if values and goal.better(values[0], than=best):
            best = values[0]
        return best

    return follow


def _volume_so_far(goals: Sequence[Goal], reference: Values, steps: Sequence[Step]) -> Follow:
    """Of more than two metrics computed at every so many trials, and at the last one with values."""
    front, volume, seen, is_old = FrontSoFar(goals), None, 0, False
    count = sum(bool(step.values) for step in steps)
    every = 1 if len(goals) == 2 else math.ceil(count / _VOLUMES)

    def follow(values: Values) -> float | None:
        nonlocal volume, seen, is_old
        if not values:
            return volume
        seen += 1
        is_old = front.add(seen, values) or is_old
        if is_old and (volume is None or seen % every == 0 or seen == count):
            volume, is_old = hypervolume(front.points, goals, reference), False
        return volume

    return follow
