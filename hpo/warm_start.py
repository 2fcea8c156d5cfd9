"""Trials of earlier sweeps that a sampler is told before its first: found, mapped to today's space, and frozen.

What was taken stands with the sweep's own configuration on record, trial by trial. So a sweep that goes on tells its
sampler the very same, whatever has become of the earlier sweeps.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from hpo.constraints import Constraint, feasible, judged
from hpo.constraints_on_record import constraints_in
from hpo.errors import ConfigError, NothingFound
from hpo.fork import components_on_record, meaning_of
from hpo.front import Goals, front
from hpo.front_on_record import goals_of
from hpo.naming import find_sweep
from hpo.sampler import Sampler
from hpo.space import Parameter, Params, Space, Value
from hpo.trial import Goal, Result, State, Trial
from trackers.records import Query, Run, RunUpdated
from trackers.rows import is_finite
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

TOLD = "told"
"""The key of the recorded configuration that holds what was taken."""
WARM_START_TAG = "hpo.warm_start"
"""On a sweep's run: what was taken of each earlier sweep, and why the rest was not, for people."""


@dataclass(frozen=True)
class KnownTrial:
    """A complete trial of an earlier sweep as a point of today's space; the last three as of a Result."""

    sweep: str
    number: int
    params: Params
    value: float
    values: tuple[float, ...] = ()
    violation: float | None = None

    @property
    def result(self) -> Result:
        """What a sampler is told of it."""
        return Result(State.COMPLETE, self.value, values=self.values, violation=self.violation)


@dataclass(frozen=True)
class Taken:
    """What was taken of one sweep that has `total` trials, and why not the others: how many, by reason."""

    sweep: str
    total: int
    trials: Sequence[KnownTrial]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """For people: `took 34 of 60 trials of before: 20 outside lr, 6 failed`."""
        ranked = sorted(self.left_out.items(), key=lambda item: -item[1])
        why = ", ".join(f"{count} {reason}" for reason, count in ranked)
        return f"took {len(self.trials)} of {self.total} trials of {self.sweep}{f': {why}' if why else ''}"


@dataclass(frozen=True)
class Today:
    """The sweep that is about to start; `config` as it will be on record, `data` the digests of its data by tag."""

    config: str
    space: Space
    goals: Goals
    data: Mapping[str, str]


def take_known(tracker: Tracker, sources: Sequence[str], top: int, today: Today) -> list[Taken]:
    """The best `top` trials that fit of each of these sweeps, in number order; by several metrics front after front.

    ConfigError where there is no such sweep, or its values cannot be compared with today's. What was taken is logged,
    and what may make those values misleading: other data, or another objective.
    """
    found = [_source(tracker, source, today) for source in sources]
    doubled = [run.name for position, run in enumerate(found) if run.id in {other.id for other in found[:position]}]
    if doubled:
        raise ConfigError(f"warm_start.from names the sweep {doubled[0]!r} twice; nothing was run")
    taken = [_taken(run, tracker.find(Query(parent=run.id)), top, today) for run in found]
    for run, one in zip(found, taken, strict=True):
        log.info("%s", one.text)
        for doubt in _doubts(run, today):
            log.warning("sweep %s %s; its values may mislead the sampler", run.name, doubt)
    return taken


def told_by(taken: Sequence[Taken]) -> list[KnownTrial]:
    """All that was taken, in the order it is told."""
    return [trial for one in taken for trial in one.trials]


def _doubts(run: Run, today: Today) -> Iterator[str]:
    changed = [name.rpartition(".")[2] for name, digest in today.data.items() if run.tags.get(name) != digest]
    if changed:
        yield f"saw other data ({', '.join(changed)})"
    if run.sweep and json.loads(run.sweep.config).get("objective") != json.loads(today.config)["objective"]:
        yield "had another objective"


def with_told(config: str, told: Sequence[KnownTrial]) -> str:
    """The configuration as it is recorded, with what the sampler is told first."""
    if not told:
        return config
    document = {**json.loads(config), TOLD: [asdict(trial) for trial in told]}
    return json.dumps(document, allow_nan=False)  # params stay in the order of the space


def told_of(sweep: Run) -> list[KnownTrial]:
    """What the sampler of a sweep on record is told first."""
    recorded = json.loads(sweep.sweep.config).get(TOLD, ()) if sweep.sweep else ()
    return [KnownTrial(**{**trial, "values": tuple(trial["values"])}) for trial in recorded]


def tell_known(sampler: Sampler, known: Sequence[KnownTrial], *, before: int) -> None:
    """Tells a fresh sampler trials that nobody asked it for, under numbers below -`before`."""
    for position, trial in enumerate(known):
        number = position - len(known) - before
        sampler.tell(Trial(number, trial.params, seed=0), trial.result)


def warm_start_tags(run_id: str, taken: Sequence[Taken]) -> list[RunUpdated]:
    """The change that says on the sweep's run what was taken; none where nothing was asked for."""
    text = "; ".join(one.text for one in taken)
    return [RunUpdated(run_id, tags={WARM_START_TAG: text[:5000]})] if taken else []


def _source(tracker: Tracker, source: str, today: Today) -> Run:
    try:
        run = find_sweep(tracker, source)
    except NothingFound as error:
        raise ConfigError(f"warm_start.from: {error}; nothing was run") from error
    facts = run.sweep
    if facts is None:
        raise ConfigError(f"warm_start.from: run {run.name!r} is no sweep of ours; nothing was run")
    goals = goals_of(facts)
    if list(goals.items()) != list(today.goals.items()):
        raise ConfigError(
            f"warm_start.from: sweep {run.name!r} is ranked by {_ranked_by(goals)} and this one by "
            f"{_ranked_by(today.goals)}, so its values cannot be compared; nothing was run"
        )
    return run


def _ranked_by(goals: Goals) -> str:
    return ", ".join(f"{name} ({goal})" for name, goal in goals.items())


def _taken(run: Run, history: Sequence[Run], top: int, today: Today) -> Taken:
    before = components_on_record(json.loads(run.sweep.config) if run.sweep else {})
    after = components_on_record(json.loads(today.config))
    constraints = constraints_in(today.config)
    fitting: list[KnownTrial] = []
    left_out: Counter[str] = Counter()
    trials = [child for child in history if child.trial is not None]
    for child in trials:
        try:
            known = _known(run.name, child, today, (before, after))
            fitting.append(_checked(constraints, known, child.metrics))
        except _DoesNotFit as reason:
            left_out[str(reason)] += 1
    ranked = _best_first(fitting, tuple(today.goals.values()))
    if len(ranked) > top:
        left_out[f"not among the best {top}"] = len(ranked) - top
    return Taken(run.name, len(trials), sorted(ranked[:top], key=lambda trial: trial.number), left_out)


class _DoesNotFit(Exception):
    """Why a trial is left out."""


def _best_first(trials: Sequence[KnownTrial], goals: Sequence[Goal]) -> list[KnownTrial]:
    """By value; by several metrics those of the front, then the front of the others, and so on."""
    if len(goals) == 1:
        sign = 1.0 if goals[0] is Goal.MINIMIZE else -1.0
        return sorted(trials, key=lambda trial: (sign * trial.value, trial.number))
    ranked: list[KnownTrial] = []
    left = list(trials)
    while left:
        best = set(front([trial.values for trial in left], goals))
        ranked += [trial for position, trial in enumerate(left) if position in best]
        left = [trial for position, trial in enumerate(left) if position not in best]
    return ranked


def _checked(constraints: Sequence[Constraint], known: KnownTrial, metrics: Mapping[str, float]) -> KnownTrial:
    """The trial as today's constraints judge it."""
    said = judged(constraints, known.params, metrics)
    if not feasible(constraints, known.params) or (said is not None and said.violation):
        raise _DoesNotFit("outside the constraints")
    return replace(known, violation=said.violation if said else None)


def _known(
    sweep: str, run: Run, today: Today, meanings: tuple[Mapping[str, object], Mapping[str, object]]
) -> KnownTrial:
    facts = run.trial
    if facts is None or facts.state != State.COMPLETE:
        raise _DoesNotFit((facts.state if facts else "").lower())
    values = tuple(run.metrics.get(name, math.nan) for name in today.goals) if len(today.goals) > 1 else ()
    value = values[0] if values else facts.value
    if value is None or not all(map(is_finite, (value, *values))):
        raise _DoesNotFit("without a finite value")
    params = _mapped(facts.params, today.space)
    before, after = meanings
    for name in params:
        if name in facts.params and before.get(meaning_of(name, params)) != after.get(meaning_of(name, params)):
            raise _DoesNotFit(f"where {name} stood for something else")
    return KnownTrial(sweep, facts.number, params, value, values)


def _mapped(old: Params, space: Space) -> dict[str, Value]:
    """The point of the space with the same values; what has one value today needs none of its own."""

    def value_of(parameter: Parameter) -> Value:
        domain = parameter.domain
        if parameter.name not in old:
            if domain.size == 1:
                return domain.at(0)
            raise _DoesNotFit(f"without {parameter.name}")
        if not domain.contains(old[parameter.name]):
            raise _DoesNotFit(f"outside {parameter.name}")
        return old[parameter.name]

    params = space.draw(value_of)
    for parameter in space.parameters:  # `draw` asks nobody about constants
        if parameter.name in params and parameter.name in old:
            value_of(parameter)
    for name in old:
        if name not in params:
            raise _DoesNotFit(f"with {name}, which today has no place")
    return params
