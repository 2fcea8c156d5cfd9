"""Takes the trials of one sweep that fit another one over into it, so that they are not run again."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpo.constraints import INFEASIBLE_TAG, VIOLATION, Constraint, feasible, judged
from hpo.constraints_on_record import constraints_in
from hpo.run_ids import counted_ids
from hpo.sampler import Sampler
from hpo.space import Params, Space
from hpo.trial import State
from trackers.records import STATUS_OF_STATE, Point, Run, RunEnded, RunStarted, TrialFacts

TAKEN_FROM_TAG = "hpo.taken_from"
"""On a trial that was taken over: the run it was taken from, where it was run."""
FORKED_FROM_TAG = "hpo.forked_from"
"""On a sweep's run: the sweep whose trials it took over."""


@dataclass(frozen=True)
class Reusable:
    """The trials of an old sweep by their number in the new one, those left out by their old one, and why not any."""

    runs: Mapping[int, Run] = field(default_factory=dict)
    params: Mapping[int, Params] = field(default_factory=dict)
    waiting: Mapping[int, Params] = field(default_factory=dict)
    left_out: Sequence[int] = ()
    why_not: str = ""


def reusable(old: Run, history: Sequence[Run], config: str, space: Space, sampler: Sampler, n_trials: int) -> Reusable:
    """Which trials of `old` the sweep of `config` can take over: COMPLETE ones whose params are points of `space`.

    They come first and keep their order. Each point of a grid, and each point to start with, has a number of its own,
    so they take that, and such points between them that are still to be run are given as `waiting`.
    """
    before, after = json.loads(old.sweep.config if old.sweep else "{}"), json.loads(config)
    for key in ("objective", "metric", "metrics"):
        if before.get(key) != after.get(key):
            return Reusable(why_not=f"the {key} is another one, so its values cannot be compared")
    complete = [run for run in history if run.trial is not None and run.trial.state == State.COMPLETE]
    meant = components_on_record(before), components_on_record(after)
    points_of_space = [(run, params) for run in complete if (params := _as_point(run, space, *meant)) is not None]
    constraints = constraints_in(config)
    fitting = [(run, params) for run, params in points_of_space if feasible(constraints, params)]
    is_grid = after.get("engine", {}).get("sampler") == "grid"
    points = sampler.ask(range(n_trials if is_grid else min(n_trials, len(after.get("start", ())))))
    numbers = {_key(point): number for number, point in enumerate(points)}
    numbered = {numbers[_key(params)]: (run, params) for run, params in fitting if _key(params) in numbers}
    if not is_grid:
        others = [(run, params) for run, params in fitting if _key(params) not in numbers]
        numbered |= dict(enumerate(others[: n_trials - len(points)], start=len(points)))
    before_last = range(min(len(points), max(numbered, default=-1) + 1))
    waiting = {number: points[number] for number in before_last if number not in numbered}
    taken = {run.id for run, _ in numbered.values()}
    return Reusable(
        runs={number: run for number, (run, _) in sorted(numbered.items())},
        params={number: params for number, (_, params) in sorted(numbered.items())},
        waiting=waiting,
        left_out=[run.trial.number for run in history if run.trial is not None and run.id not in taken],
        why_not="" if taken else "none of its finished trials is a point of the new space",
    )


@dataclass(frozen=True)
class Taking:
    """Writes trials down as children of a new sweep; `points_of` gives all recorded points of a run.

    What `constraints` on metrics say of them is said anew.
    """

    parent_id: str
    experiment: str
    user: str
    now: int
    points_of: Callable[[str], Sequence[Point]]
    constraints: Sequence[Constraint] = ()
    new_id: Callable[[], str] = field(default_factory=counted_ids)

    def changes(self, found: Reusable, seed_of: Callable[[int], int]) -> list[RunStarted | RunEnded]:
        """The changes that record them: those taken over ended, with value and metrics but no files or models."""
        made: list[RunStarted | RunEnded] = []
        for number, run in found.runs.items():
            made += self._ended(number, run, found.params[number])
        for number, params in found.waiting.items():
            waiting = TrialFacts(number, params, State.WAITING, attempt=0, seed=seed_of(number))
            made.append(self._started(waiting, self.now, {}))
        return made

    def _ended(self, number: int, run: Run, params: Params) -> list[RunStarted | RunEnded]:
        if run.trial is None:
            return []
        tags = {TAKEN_FROM_TAG: run.tags.get(TAKEN_FROM_TAG, run.id)}
        trial = replace(run.trial, number=number, params=params, attempt=1)
        begun = TrialFacts(number, params, State.RUNNING, seed=trial.seed)
        started = self._started(begun, run.started or self.now, tags)
        ended = run.ended if run.ended is not None else self.now
        status = STATUS_OF_STATE[State.COMPLETE]
        points = [point for point in self.points_of(run.id) if point.metric != VIOLATION]
        said = judged(self.constraints, params, run.metrics)
        if said is not None and math.isfinite(said.violation):
            points.append(Point(VIOLATION, said.violation, timestamp=ended))
        broken = {INFEASIBLE_TAG: said.text} if said is not None and said.violation else {}
        return [started, RunEnded(started.run_id, status, ended, points=points, tags=broken, trial=trial)]

    def _started(self, trial: TrialFacts, started: int, tags: Mapping[str, str]) -> RunStarted:
        return RunStarted(
            run_id=self.new_id(),
            name=f"trial-{trial.number}",
            experiment=self.experiment,
            started=started,
            parent_id=self.parent_id,
            params=trial.params,
            tags=tags,
            user=self.user,
            trial=trial,
        )


def fork_message(old: str, found: Reusable) -> str:
    """What was reused of sweep `old`, for people."""
    if not found.runs:
        return f"nothing of sweep {old} is reused: {found.why_not}"
    left = f"; left out: {_listed(found.left_out)}" if found.left_out else ""
    return f"reused {len(found.runs)} trials of sweep {old}, they are not run again{left}"


def _listed(numbers: Sequence[int], most: int = 20) -> str:
    """Trial numbers, cut where there are many."""
    shown = ", ".join(f"#{number}" for number in numbers[:most])
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def _as_point(run: Run, space: Space, before: Mapping[str, object], after: Mapping[str, object]) -> Params | None:
    """The trial's params as that point of the space, typed as the space has them; None where it is no point of it."""
    old = run.trial.params if run.trial else {}
    if not space.contains(old) or any(before.get(meaning_of(p, old)) != after.get(meaning_of(p, old)) for p in old):
        return None
    return space.draw(lambda parameter: old[parameter.name])


def meaning_of(name: str, params: Params) -> str:
    """The key under which `components_on_record` has what a parameter's value stands for."""
    return json.dumps([name, params[name]])


def components_on_record(config: Mapping[str, object]) -> Mapping[str, object]:
    """What a choice stands for in a recorded configuration, where that is an estimator: by name and choice."""
    listed = config.get("parameters")
    found: dict[str, object] = {}
    for entry in listed if isinstance(listed, list) else ():
        for choice, path in entry.get("components", ()):
            found[json.dumps([entry["name"], choice])] = path
    return found


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)
