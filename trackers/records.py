"""The nouns of tracking: runs and what is recorded of them, model versions, and changes to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | int | float | bool | None


class Status(StrEnum):
    """The status of a run, in MLflow's words."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


STATUS_OF_STATE: Mapping[str, Status] = {
    "WAITING": Status.SCHEDULED,
    "RUNNING": Status.RUNNING,
    "COMPLETE": Status.FINISHED,
    "PRUNED": Status.KILLED,
    "FAILED": Status.FAILED,
}
"""A trial's state as a run's status: MLflow's own mapping of optuna's states."""


@dataclass(frozen=True)
class Point:
    """One value of one metric; `timestamp` is milliseconds since 1970, UTC. The value may be NaN or infinite."""

    metric: str
    value: float
    step: int = 0
    timestamp: int = 0


@dataclass(frozen=True)
class Artifact:
    """A kept file: path below the run's artifact folder, bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A data set that a run read; `digest` at most 36 characters, `schema` and `profile` JSON texts.

    An experiment knows one of each name and digest: what the first run says of it stands for all. Only `context`, what
    it was read for, is each run's own.
    """

    name: str
    digest: str
    source_type: str = "local"
    source: str = "{}"
    schema: str | None = None
    profile: str | None = None
    context: str = "training"


@dataclass(frozen=True)
class LoggedModel:
    """A model folder kept by a run; `path` below the run's artifact folder, `model_id` is `m-<32 hex digits>`.

    `uri` is the whole place, filled in on reading; MLflow's own models lie outside the run's folder, with `path` ''.
    """

    model_id: str
    name: str
    path: str
    flavor: str = "sklearn"
    uri: str = ""


@dataclass(frozen=True)
class SweepFacts:
    """What our own table holds of a parent run: the sweep's settings, fixed when it starts."""

    config: str
    config_hash: str
    metric: str
    goal: str
    seed: int
    window: int | None
    n_trials: int | None = None


@dataclass(frozen=True)
class TrialFacts:
    """What our own table holds of a child run beyond MLflow's columns.

    `params` are typed and in the order of the space; `value` is the sweep's metric, None unless the trial is COMPLETE.
    `state` is WAITING, RUNNING, COMPLETE, PRUNED or FAILED; `error` the first line of a failure, `traceback` the rest.
    """

    number: int
    params: Mapping[str, Value]
    state: str = "RUNNING"
    attempt: int = 1
    seed: int = 0
    value: float | None = None
    reason: str = ""
    error: str = ""
    traceback: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Run:
    """A run as read: `params` are typed where our table knows them, else the strings MLflow keeps.

    `metrics` are the latest values; times are milliseconds since 1970, UTC. `deleted` is when it was deleted: None for
    a run that is not, 0 where nobody knows when. `points` are those that a query asked for, `datasets` what it read, by
    name and digest: filled in for a single run, and where a query asked for them.
    """

    id: str
    name: str
    experiment: str
    status: Status
    started: int | None
    ended: int | None
    artifact_uri: str
    parent_id: str | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    trial: TrialFacts | None = None
    sweep: SweepFacts | None = None
    models: Sequence[LoggedModel] = ()
    deleted: int | None = None
    points: Sequence[Point] = ()
    datasets: Sequence[Dataset] = ()


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or an existing one runs again: same id, larger `trial.attempt`.

    The experiment is named by its name and must exist (see `Tracker.experiment`). The artifact folder is
    `<experiment's artifact location>/<run id>/artifacts`, as MLflow has it; of attempt 2 and later `artifacts-2`.
    A larger attempt takes the place of what earlier ones recorded: points, models, data sets and manifest go. With
    `new_name` it is refused (`NameTaken`) where another sweep of ours already has that name, so that of several who
    start one only the first does.
    """

    run_id: str
    name: str
    experiment: str
    started: int
    parent_id: str | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    datasets: Sequence[Dataset] = ()
    trial: TrialFacts | None = None
    sweep: SweepFacts | None = None
    new_name: bool = False


@dataclass(frozen=True)
class RunUpdated:
    """More of a run, whatever its status: points and data sets are added, tags and params set.

    `removed_artifacts` are paths, or whole folders where they end in '/'; `removed_models` are model ids,
    `removed_tags` keys of tags.
    """

    run_id: str
    points: Sequence[Point] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Value] = field(default_factory=dict)
    datasets: Sequence[Dataset] = ()
    artifacts: Sequence[Artifact] = ()
    models: Sequence[LoggedModel] = ()
    removed_artifacts: Sequence[str] = ()
    removed_models: Sequence[str] = ()
    removed_tags: Sequence[str] = ()


@dataclass(frozen=True)
class RunEnded:
    """A run ends, with everything it made, at once.

    A trial's `trial` repeats its facts with state, value, reason, error and seconds filled in; its attempt must be the
    one that is running, else `Superseded`. Repeating the very same change is harmless. A run never ends before it
    started: clocks are set back.
    """

    run_id: str
    status: Status
    ended: int
    points: Sequence[Point] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Sequence[Artifact] = ()
    models: Sequence[LoggedModel] = ()
    trial: TrialFacts | None = None
    datasets: Sequence[Dataset] = ()


@dataclass(frozen=True)
class RunDeleted:
    """A run is deleted as MLflow deletes it: nothing finds it any more, all of it is kept, and it can be restored.

    It alone: its children are changes of their own. A run that is deleted already stays as it is.
    """

    run_id: str
    deleted: int


@dataclass(frozen=True)
class RunRestored:
    """A deleted run is one like others again; one that is not deleted stays as it is.

    Refused: a sweep whose name another one has by now (`NameTaken`), a run that is being erased (`Superseded`).
    """

    run_id: str


@dataclass(frozen=True)
class RunErasing:
    """A deleted run is about to lose its files, so from now on it cannot be restored.

    `Superseded` where it is not deleted, for example because somebody restored it a moment ago.
    """

    run_id: str


@dataclass(frozen=True)
class RunErased:
    """A run whose files are gone goes too, with every row that belongs to it; one that is gone already is no error.

    `Superseded` where no `RunErasing` went before.
    """

    run_id: str


Change = RunStarted | RunUpdated | RunEnded | RunDeleted | RunRestored | RunErasing | RunErased


@dataclass(frozen=True)
class Fence:
    """What a sweep's driver got when it claimed the sweep: changes recorded with it hold only while it owns it."""

    sweep_id: str
    token: str


@dataclass(frozen=True)
class Order:
    """One key to sort by: `metrics.x`, `params.x`, `tags.x`, or an attribute (`number`, `started`, `ended`, `name`,
    `status`, `seconds`, `value`).
    """

    key: str
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """Which runs to find. Unset fields do not restrict.

    `parent`: children of that run; `roots`: runs without a parent; `sweeps`: runs that are a sweep of ours or the
    parent of another run, but no trial of ours, whose children are re-runs of it. `where` is a filter text (see
    `trackers.filters`). `finite`: only runs whose latest value of this metric is a finite number. `deleted`: True for
    deleted runs only, None for these and the others. Order ties, and the default order, are by trial number, then
    start time, then id; runs without the sorted key come last, whichever way is sorted. `points_of`: with all points
    recorded of this metric, by step, timestamp, value. `datasets`: with the data sets that the runs read.
    """

    parent: str | None = None
    roots: bool = False
    sweeps: bool = False
    experiment: str | None = None
    name: str | None = None
    id_prefix: str | None = None
    where: str = ""
    finite: str | None = None
    order: Sequence[Order] = ()
    limit: int | None = None
    offset: int = 0
    deleted: bool | None = False
    points_of: str | None = None
    datasets: bool = False


@dataclass(frozen=True)
class NewVersion:
    """A model version to register: where its files are, and where it came from.

    `key` makes registering idempotent: the same key again gives the version that exists. `source` is the URI of the
    model folder; `model_id` the logged model behind it, where there is one. `stage` and `aliases` are set in the same
    transaction. `who` and `why` go into the history. `files` are those of the model that were verified; where they no
    longer stand in the run's manifest, nothing is registered.

    `expected` says which version each of these aliases points to (None: to none), as far as the caller knows; where one
    has moved meanwhile nothing is changed (`AliasMoved`). With a `fence` nothing is registered (`FencedOff`) once its
    owner no longer drives the sweep. With either, aliases and stage are set also on a version that was registered under
    this key before, in the same transaction.
    """

    name: str
    source: str
    run_id: str | None
    key: str
    model_id: str | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None
    aliases: Sequence[str] = ()
    who: str = ""
    why: str = ""
    files: Sequence[Artifact] = ()
    expected: Mapping[str, int | None] = field(default_factory=dict)
    fence: Fence | None = None


@dataclass(frozen=True)
class ModelVersion:
    """A registered model version as read; `stage` is 'None', 'Staging', 'Production' or 'Archived'."""

    name: str
    version: int
    source: str
    run_id: str | None
    stage: str
    aliases: Sequence[str]
    description: str
    tags: Mapping[str, str]
    created: int
    model_id: str | None = None
    user: str = ""


@dataclass(frozen=True)
class RegistryEvent:
    """One line of a registered model's history; `action` is one of those in `registry_log`.

    `before` and `after` hold the version an alias pointed to, or the stage a version had; '' where there was none.
    `what` is the alias, the new stage, or what was annotated.
    """

    at: int
    who: str
    action: str
    name: str
    version: int
    what: str
    before: str
    after: str
    why: str
