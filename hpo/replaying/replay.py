"""Runs recorded trials again and compares them with their record."""

import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.config.conversion import constraints_of
from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.constraints import Constraint
from hpo.data_changes import data_changes
from hpo.errors import ConfigError, ProvenanceError
from hpo.masking import MASK
from hpo.provenance.changed import Changed
from hpo.replaying.comparison import Verdict, compare
from hpo.replaying.job import Job, Report, Task
from hpo.replaying.process import OUTPUT, run_in_process
from hpo.replaying.record import Record, TrialRecord
from hpo.replaying.surroundings import Surroundings
from hpo.replaying.wishes import Wishes
from hpo.sweep_records import SweepRecords
from hpo.trial import Outcome, State, Trial
from trackers.records import Point, RunEnded, TrialFacts


@dataclass(frozen=True)
class Replayed:
    """A trial that was run again: its record, what came of it now, and what comparing them says.

    `logged` are points that it logged through MLflow.
    """

    record: TrialRecord
    trial: Trial
    outcome: Outcome
    verdict: Verdict
    logged: Sequence[Point] = ()


def replay(record: Record, surroundings: Surroundings, wishes: Wishes) -> Sequence[Replayed]:
    """All trials of the record, in its order.

    What `run_in_process` raises; ConfigError for a secret that nobody has, ProvenanceError where other code ran.
    """
    config = read_sweep_text(record.config, "the sweep file on record")
    _require_secrets(record, config)
    tasks = [_task(trial, record.metric, wishes.seed) for trial in record.trials]
    report = run_in_process(
        surroundings.packages.python,
        _job(record, surroundings, tasks, wishes.slots),
        started_in=surroundings.code.started_in,
        variables=surroundings.packages.variables,
        secrets=record.secrets,
    )
    _require_no_strays(report)
    outcomes = {outcome.number: outcome for outcome in report.outcomes}
    comparing = _Comparing(
        records=_records(record, constraints_of(config), surroundings.folder),
        changes=[*surroundings.changes, *data_changes(record.datasets, report.datasets)],
        times=config.objective.sklearn is not None,
        ignored=wishes.ignored,
    )
    return [
        comparing.of(trial, task, outcomes[task.number], report.logged.get(task.run_id, ()))
        for trial, task in zip(record.trials, tasks, strict=True)
    ]


@dataclass(frozen=True)
class _Comparing:
    """What is the same for all trials: how they are recorded, what is not as it was, what is not compared."""

    records: SweepRecords
    changes: Sequence[Changed]
    times: bool
    ignored: Sequence[str]

    def of(self, record: TrialRecord, task: Task, outcome: Outcome, logged: Sequence[Point]) -> Replayed:
        trial = Trial(task.number, task.params, task.seed, task.run_id, task.attempt)
        again = as_record(self.records, trial, outcome)
        verdict = compare(
            record,
            replace(again, points=[*again.points, *logged]),
            changes=[*_seed_change(record, trial), *data_changes(record.datasets, again.datasets), *self.changes],
            times=self.times,
            ignored=self.ignored,
        )
        return Replayed(record, trial, outcome, verdict, logged)


def _job(record: Record, surroundings: Surroundings, tasks: Sequence[Task], slots: int) -> Job:
    code = surroundings.code
    return Job(
        config=record.config,
        folders=list(dict.fromkeys(map(str, (code.folder, code.started_in, *code.more)))),
        folder=str(surroundings.folder),
        tasks=tasks,
        slots=slots,
        original=code.original,
        rebuilt=code.top,
        moved=surroundings.moved,
        mlflow=any(trial.mlflow for trial in record.trials),
    )


def _records(record: Record, constraints: Sequence[Constraint], folder: Path) -> SweepRecords:
    """How the trials would go on record in their sweep."""
    return SweepRecords(
        parent_id=record.sweep_id,
        experiment="replay",
        metric=record.metric,
        artifacts=str(folder / "files"),
        user="",
        clock=lambda: round(time.time() * 1000),
        new_id=lambda: uuid.uuid4().hex,
        constraints=constraints,
    )


def _require_no_strays(report: Report) -> None:
    if report.strays:
        name, file = next(iter(report.strays.items()))
        raise ProvenanceError(
            f"module {name} was taken from {file} and not from the code on record, where it lies too: it is installed "
            "from there; replay with --env locked, or with --code current"
        )


def keep_copy(surroundings: Surroundings, target: Path | None) -> None:
    """Copies the rebuilt code, what trials kept below `files`, and what was printed, for people to look at."""
    if target is None:
        return
    target.mkdir(parents=True, exist_ok=True)
    for source, name in ((Path(surroundings.code.top), "code"), (surroundings.folder / "files", "files")):
        if str(source) != "." and source.is_dir():
            ignored = shutil.ignore_patterns(".git")
            shutil.copytree(source, target / name, symlinks=True, ignore=ignored, dirs_exist_ok=True)
    shutil.copy2(surroundings.folder / OUTPUT, target / OUTPUT)


def as_record(records: SweepRecords, trial: Trial, outcome: Outcome) -> TrialRecord:
    """What the store would have of a trial that ended so."""
    ending = records.ending(trial, outcome)
    parts = [change for change in ending.below if isinstance(change, RunEnded)]
    return replace(_ended(ending.change), replicates=[_ended(change) for change in parts])


def _ended(change: RunEnded) -> TrialRecord:
    facts = change.trial or TrialFacts(0, {})
    return TrialRecord("", change.run_id, facts, change.points, datasets=change.datasets)


def _task(trial: TrialRecord, metric: str, seed: int | None) -> Task:
    facts = trial.facts
    reports = sum(point.metric == metric for point in trial.points)
    return Task(
        number=facts.number,
        params=facts.params,
        seed=facts.seed if seed is None else seed,
        run_id=uuid.uuid4().hex,
        attempt=facts.attempt,
        stop_after=reports if facts.state == State.PRUNED else None,
    )


def _require_secrets(record: Record, config: SweepConfig) -> None:
    gone = [name for name, spec in config.parameters.items() if spec == MASK and name not in record.secrets]
    if gone:
        raise ConfigError(
            f"parameters.{gone[0]} of {record.sweep!r} is a secret and stands neither in a record nor in a project; "
            "replay it from the store, where its sweep file lies"
        )


def _seed_change(record: TrialRecord, trial: Trial) -> Sequence[Changed]:
    before, after = record.facts.seed, trial.seed
    return [Changed("seed", record.name, str(before), str(after))] if before != after else []
