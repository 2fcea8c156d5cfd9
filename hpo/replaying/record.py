"""What is on record of trials, as far as running them again takes it; read from a store or from a project's folder."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from hpo.config.expanded import as_yaml
from hpo.config.schema import SweepConfig
from hpo.config.secrets_in_file import is_secret_constant
from hpo.duplicates import REUSED_TAG
from hpo.errors import ConfigError, NothingFound
from hpo.fork import TAKEN_FROM_TAG
from hpo.masking import MASK
from hpo.recorded_config import FILE_TAG, FOLDER_TAG, STARTED_IN_TAG, read_back
from hpo.standing import ENDED
from hpo.sweep_records import REPLICATE_TAG
from trackers.errors import NotFound
from trackers.garbage import MLFLOW_TAG
from trackers.records import Dataset, Point, Query, Run, TrialFacts
from trackers.rows import latest, metric_row
from trackers.tracker import Tracker

_COMMIT_TAG = "mlflow.source.git.commit"
REPLAY_OF_TAG = "hpo.replay_of"
"""On the run of a replay: the run that it repeats."""
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


@dataclass(frozen=True)
class TrialRecord:
    """One trial: what it was run with, and all that it gave. `name` is how people name it, such as `iris#17`.

    `replicates` are the runs of its point that it is made of. `capture` is the key of the code and the environment
    that it ran in, where these are not the sweep's. With `mlflow` it also logged through MLflow.
    """

    name: str
    run_id: str
    facts: TrialFacts
    points: Sequence[Point] = ()
    replicates: Sequence["TrialRecord"] = ()
    datasets: Sequence[Dataset] = ()
    capture: str = ""
    mlflow: bool = False

    @property
    def metrics(self) -> Mapping[str, float]:
        """The latest value of every metric."""
        return {name: row.number for name, row in latest(map(metric_row, self.points)).items()}


@dataclass(frozen=True)
class Record:
    """Trials of one sweep. `config` is the sweep file as it was run, secrets masked; `file` and `folder` say where it
    lay then, on the machine that ran it, and `started_in` where the sweep was started; `commit` is that of the code,
    which may have been edited.

    `secrets` are the masked constants among the parameters; they never leave this process but to the trials.
    """

    sweep: str
    sweep_id: str
    config: str
    metric: str
    file: str = ""
    folder: str = ""
    started_in: str = ""
    datasets: Sequence[Dataset] = ()
    trials: Sequence[TrialRecord] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    commit: str = ""


def record_of(tracker: Tracker, parent: Run, runs: Sequence[Run]) -> Record:
    """What is on record of these trials of one sweep; ConfigError where one has not ended or a secret is gone."""
    config = read_back(parent)
    count = config.replicates.seeds if config.replicates else 0
    return Record(
        sweep=parent.name,
        sweep_id=parent.id,
        config=as_yaml(config),
        metric=config.metric.name,
        file=parent.tags.get(FILE_TAG, ""),
        folder=parent.tags.get(FOLDER_TAG, ""),
        started_in=parent.tags.get(STARTED_IN_TAG, ""),
        commit=parent.tags.get(_COMMIT_TAG, ""),
        datasets=parent.datasets,
        trials=[_trial(tracker, parent, run, count) for run in runs],
        secrets=_secrets(config, parent),
    )


def trials_of(tracker: Tracker, parent: Run) -> Sequence[Run]:
    """All trials of a sweep that have ended."""
    return [run for run in tracker.find(Query(parent=parent.id)) if run.trial and run.trial.state in ENDED]


def origin_of(tracker: Tracker, run: Run) -> Run:
    """The run in which the trial's numbers were measured: of a replay or a replicate the trial, and where they were
    taken over from another trial, that one; itself where nobody knows that one any more."""
    for tag in (REPLAY_OF_TAG, TAKEN_FROM_TAG, REUSED_TAG):
        if tag in run.tags:
            try:
                return origin_of(tracker, tracker.get(run.tags[tag]))
            except NotFound:
                return run
    is_below_trial = REPLICATE_TAG in run.tags and run.parent_id
    return origin_of(tracker, tracker.get(run.parent_id or "")) if is_below_trial else run


def as_json(record: Record) -> str:
    """The record as strict JSON but for NaN and infinities, without secrets."""
    return json.dumps(asdict(replace(record, secrets={})), indent=1, default=dict)


def from_json(text: str) -> Record:
    """A record again; ConfigError for a text that is none, naming the first thing that is wrong."""
    try:
        # a name may hold half of a surrogate pair, which is no text to pydantic
        TypeAdapter(Record).validate_json(_HALF.sub(r"\\u0041", text), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        raise ConfigError(f"trial.json is no record of a trial: {place}{first['msg']}") from error
    try:
        facts = json.loads(text)
        made = {
            "datasets": [Dataset(**item) for item in facts["datasets"]],
            "trials": [_from_facts(item) for item in facts["trials"]],
        }
        return Record(**{**facts, **made})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"trial.json is no record of a trial: {type(error).__name__}: {error}") from error


def _trial(tracker: Tracker, parent: Run, run: Run, replicates: int) -> TrialRecord:
    facts = run.trial
    if facts is None:
        raise NothingFound(f"run {run.name!r} was not run by us, so nobody knows how to run it again")
    name = f"{parent.name}#{facts.number}"
    if facts.state not in ENDED:
        raise ConfigError(f"{name} is {facts.state}: there is nothing to compare with until it has ended")
    below = tracker.find(Query(parent=run.id)) if replicates else ()
    # the others are re-runs of a finalist, which came after the trial had its value
    parts = [again for again in below if REPLICATE_TAG in again.tags and _number(again) < replicates]
    return TrialRecord(
        name=name,
        run_id=run.id,
        facts=facts,
        points=tracker.history(run.id),
        replicates=[_replicate(tracker, again, name) for again in sorted(parts, key=_number)],
        datasets=run.datasets,
        capture=run.tags.get("hpo.capture", ""),
        mlflow=MLFLOW_TAG in run.tags,
    )


def _replicate(tracker: Tracker, run: Run, name: str) -> TrialRecord:
    facts = run.trial or TrialFacts(0, {})
    return TrialRecord(f"{name}, replicate {facts.number}", run.id, facts, tracker.history(run.id))


def _number(run: Run) -> int:
    return run.trial.number if run.trial else 0


def _secrets(config: SweepConfig, parent: Run) -> Mapping[str, str]:
    gone = [name for name, spec in config.parameters.items() if spec == MASK]
    if gone:
        raise ConfigError(
            f"parameters.{gone[0]} of sweep {parent.name!r} is a secret and not on record; put its file back where it "
            f"was, {parent.tags.get(FILE_TAG, 'unknown')}, from where the value is taken, and replay again"
        )
    return {name: str(spec) for name, spec in config.parameters.items() if is_secret_constant(name, spec)}


def _from_facts(facts: dict[str, object]) -> TrialRecord:
    def each(name: str) -> list[dict[str, object]]:
        found = facts[name]
        return found if isinstance(found, list) else []

    made = {
        "facts": TrialFacts(**facts["facts"]),  # type: ignore[arg-type]  # as written
        "points": [Point(**item) for item in each("points")],  # type: ignore[arg-type]
        "replicates": [_from_facts(item) for item in each("replicates")],
        "datasets": [Dataset(**item) for item in each("datasets")],  # type: ignore[arg-type]
    }
    return TrialRecord(**{**facts, **made})  # type: ignore[arg-type]
