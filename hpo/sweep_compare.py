"""Several sweeps side by side: what each reached, how fast, and what they did not have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpo.course import Course, Step, course, steps_of
from hpo.front import MOST_METRICS, Goals, Values, front, reference_point
from hpo.front_on_record import goals_of, references_of, values_of
from hpo.on_both_sides import Origin, code_label, data_labels, origin_of, same_code
from hpo.progress import seconds_used
from hpo.settings_on_record import differing, settings_of
from hpo.trial import Goal
from trackers.records import Query, Run
from trackers.tracker import Tracker


@dataclass(frozen=True)
class Compared:
    """One sweep. `best_run` is its best trial, None by several metrics; then `front` counts those nobody beats.

    `course` is None where nothing says what is better. The `others_best` is the best of all other sweeps.
    """

    run: Run
    goals: Goals
    counts: Mapping[str, int]
    settings: Mapping[str, object]
    data: Mapping[str, str]
    code: str
    course: Course | None = None
    best_run: Run | None = None
    front: int | None = None
    others_best: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long its drivers were at work, else how long it took."""
        used = seconds_used(self.run.tags)
        if used or self.run.started is None or self.run.ended is None:
            return used or None
        return (self.run.ended - self.run.started) / 1000


@dataclass(frozen=True)
class Comparison:
    """The sweeps in the order asked. `goals` are what they are compared by; without, `why_not` says why values are not.

    `settings` has, by key, the values of those that differ (ABSENT where a sweep has none); `reference` where the
    hypervolume of several metrics is measured from. `same_data` and `same_code`: None where the record does not tell.
    """

    sweeps: Sequence[Compared]
    goals: Goals = field(default_factory=dict)
    why_not: str = ""
    settings: Mapping[str, Sequence[object]] = field(default_factory=dict)
    reference: Mapping[str, float] = field(default_factory=dict)
    same_data: bool | None = None
    same_code: bool | None = None


def compare(
    tracker: Tracker, parents: Sequence[Run], *, metric: str | None = None, goal: Goal | None = None
) -> Comparison:
    """The sweeps compared by the metrics that they are searched by, where these and their goals are the same.

    With `metric` by that one, whatever they are searched by; `goal` says which way it is better, else the first sweep
    that knows does, else minimize.
    """
    runs = [tracker.get(parent.id) for parent in parents]  # with their data sets
    own = [goals_of(run.sweep) if run.sweep else {} for run in runs]
    if metric is not None:
        known = next((goals[metric] for goals in own if metric in goals), Goal.MINIMIZE)
        own = [{metric: goal or known}] * len(runs)
    why_not = _why_not(runs, own)
    trials = [tracker.find(Query(parent=run.id)) for run in runs]
    counts = tracker.counts([run.id for run in runs])
    origins = [origin_of(tracker, run) for run in runs]
    sweeps = [_compared(o, goals, counts.get(o.sweep.id, {})) for o, goals in zip(origins, own, strict=True)]
    steps = [steps_of(run, of, goals) for run, of, goals in zip(runs, trials, own, strict=True)]
    reference: Values = () if why_not else _reference(runs, steps, own[0])
    sweeps = [
        _with_course(sweep, of, own_steps, reference or _reference([sweep.run], [own_steps], sweep.goals))
        for sweep, of, own_steps in zip(sweeps, trials, steps, strict=True)
    ]
    return Comparison(
        sweeps if why_not else _against_each_other(sweeps),
        {} if why_not else own[0],
        why_not,
        settings=differing([sweep.settings for sweep in sweeps]),
        reference=dict(zip(own[0], reference, strict=True)) if reference else {},
        same_data=_same([tuple(sorted(sweep.data.items())) for sweep in sweeps]),
        same_code=same_code(origins),
    )


def _compared(origin: Origin, goals: Goals, counts: Mapping[str, int]) -> Compared:
    run = origin.sweep
    return Compared(run, goals, counts, settings_of(run), data_labels(run), code_label(origin))


def _with_course(sweep: Compared, runs: Sequence[Run], steps: Sequence[Step], reference: Values) -> Compared:
    goals = sweep.goals
    if not goals or (len(goals) > 1 and not reference):
        return sweep
    found = course(steps, goals, reference)
    if len(goals) > 1:
        return replace(sweep, course=found, front=len(front(found.values, tuple(goals.values()))))
    ended = [run for run in runs if run.ended is not None]
    pairs = zip(ended, steps, strict=True)
    best_run = next((run for run, step in pairs if step.values and step.values[0] == found.best), None)
    return replace(sweep, course=found, best_run=best_run)


def _against_each_other(sweeps: Sequence[Compared]) -> Sequence[Compared]:
    """Each with the best of the others."""
    found = []
    for position, sweep in enumerate(sweeps):
        bests = [other.course.best for at, other in enumerate(sweeps) if at != position and other.course]
        known = [best for best in bests if best is not None]
        goal = sweep.course.goal if sweep.course else Goal.MINIMIZE
        others_best = (min(known) if goal is Goal.MINIMIZE else max(known)) if known else None
        found.append(replace(sweep, others_best=others_best))
    return found


def _why_not(runs: Sequence[Run], goals: Sequence[Goals]) -> str:
    if all(other == goals[0] for other in goals) and goals[0]:
        return "" if len(goals[0]) <= MOST_METRICS else f"the hypervolume is computed for up to {MOST_METRICS} metrics"
    said = [
        f"{run.name} is searched by "
        + (", ".join(f"{name} ({goal})" for name, goal in own.items()) or "nobody knows what")
        for run, own in zip(runs, goals, strict=True)
    ]
    return "; ".join(dict.fromkeys(said))


def _reference(runs: Sequence[Run], steps: Sequence[Sequence[Step]], goals: Goals) -> Values:
    """One corner for all: where the files agree on one that, else the worst value of any sweep and a tenth beyond."""
    points = [step.values for of in steps for step in of if step.values]
    if len(goals) < 2 or len(goals) > MOST_METRICS or not points:
        return ()
    given = [references_of(run.sweep) if run.sweep else {} for run in runs]
    agreed = {name: value for name, value in given[0].items() if all(other.get(name) == value for other in given)}
    measured = dict(zip(goals, reference_point(points, tuple(goals.values())), strict=True))
    return values_of({**measured, **agreed}, goals)


def _same(labels: Sequence[object]) -> bool | None:
    """Whether all are the same; None where one is empty, and so not known, and nothing else differs."""
    known = [label for label in labels if label]
    if any(label != known[0] for label in known):
        return False
    return True if len(known) == len(labels) else None
