"""Two trials, or two sweeps, side by side: all that may be why their results are not the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo import ranking
from hpo.errors import ConfigError
from hpo.front import Goals
from hpo.front_on_record import goals_of, several_of
from hpo.on_both_sides import Origin, Part, code_part, data_part, environment_part, origin_of
from hpo.pairs import MetricPair, Pair, paired, paired_metrics
from hpo.settings_on_record import differing, settings_of
from hpo.trial import Goal
from trackers.records import Run
from trackers.tracker import Tracker


@dataclass(frozen=True)
class Side:
    """A trial with the sweep it belongs to (None where it belongs to none), or a sweep, which is its own."""

    run: Run
    sweep: Run | None

    @property
    def is_sweep(self) -> bool:
        """Whether it is a whole sweep."""
        return self.sweep is not None and self.sweep.id == self.run.id

    @property
    def address(self) -> str:
        """How the command line names it: `iris#17`."""
        if self.is_sweep or self.sweep is None:
            return self.run.name
        return f"{self.sweep.name}#{self.run.trial.number if self.run.trial else self.run.name}"


@dataclass(frozen=True)
class TrialDiff:
    """Everything of both sides, what is the same too; `settings` has only the keys of the sweep files that differ."""

    before: Side
    after: Side
    settings: Sequence[Pair] = ()
    params: Sequence[Pair] = ()
    metrics: Sequence[MetricPair] = ()
    seeds: Sequence[Pair] = ()
    code: Part = field(default_factory=Part)
    data: Part = field(default_factory=Part)
    environment: Part = field(default_factory=Part)


def side_of(tracker: Tracker, run: Run, *, is_sweep: bool) -> Side:
    """The run with its sweep; a re-run of a trial belongs to the trial's sweep."""
    run = tracker.get(run.id)  # with its data sets, which nothing that is found brings
    if is_sweep:
        return Side(run, run)
    parent = _parent(tracker, run)
    grandparent = _parent(tracker, parent) if parent and parent.trial else None
    return Side(run, grandparent or parent)


def _parent(tracker: Tracker, run: Run) -> Run | None:
    return tracker.get(run.parent_id) if run.parent_id else None


def trial_diff(tracker: Tracker, before: Side, after: Side, repository: Path | None = None) -> TrialDiff:
    """What of two trials, or of two sweeps, is on record, side by side.

    Code is compared line by line where the repository, or the one in which it ran, is here and has the commits.
    ConfigError for a trial and a sweep.
    """
    if before.is_sweep != after.is_sweep:
        sweep, trial = (before, after) if before.is_sweep else (after, before)
        raise ConfigError(
            f"{sweep.address!r} is a sweep and {trial.address!r} a trial; name two trials, as {sweep.address}#0, or "
            "two sweeps"
        )
    old, new = _origin(tracker, before), _origin(tracker, after)
    return TrialDiff(
        before,
        after,
        settings=_settings(before, after),
        params=_params(before.run, after.run),
        metrics=paired_metrics(_metrics(tracker, before), _metrics(tracker, after), _goals(before, after)),
        seeds=paired(_seeds(before), _seeds(after)),
        code=code_part(old, new, repository),
        data=data_part(old, new),
        environment=environment_part(old, new),
    )


def _origin(tracker: Tracker, side: Side) -> Origin:
    return origin_of(tracker, side.sweep or side.run, None if side.is_sweep else side.run)


def _settings(before: Side, after: Side) -> Sequence[Pair]:
    if before.sweep is None or after.sweep is None or before.sweep.id == after.sweep.id:
        return ()
    found = differing([settings_of(before.sweep), settings_of(after.sweep)])
    return [Pair(key, old, new) for key, (old, new) in found.items()]


def _params(before: Run, after: Run) -> Sequence[Pair]:
    """As texts where one side was written by MLflow, which keeps nothing else; of sweeps none."""
    if before.sweep or after.sweep:
        return ()
    if before.trial and after.trial:
        return paired(before.trial.params, after.trial.params)
    old, new = ({name: str(value) for name, value in run.params.items()} for run in (before, after))
    return paired(old, new)


def _metrics(tracker: Tracker, side: Side) -> dict[str, float]:
    """A trial's metrics; of a sweep by one metric its best value."""
    facts = side.run.sweep
    if facts is None:
        return dict(side.run.metrics)
    if several_of(side.run):
        return {}
    found = ranking.best(tracker, side.run.id, facts.metric, Goal(facts.goal), limit=1)
    values = [run.trial.value for run in found if run.trial and run.trial.value is not None]
    return dict(zip([facts.metric], values, strict=False))


def _goals(before: Side, after: Side) -> Goals:
    """The goals that nobody contradicts; a sweep that says nothing of a metric agrees."""
    old, new = (goals_of(side.sweep.sweep) if side.sweep and side.sweep.sweep else {} for side in (before, after))
    return {name: goal for name, goal in {**new, **old}.items() if new.get(name, goal) is goal}


def _seeds(side: Side) -> dict[str, int]:
    trial, facts = side.run.trial, side.sweep.sweep if side.sweep else None
    return {**({"trial": trial.seed} if trial else {}), **({"sweep": facts.seed} if facts else {})}
