"""Whether a change can be stored as given: lengths, characters and types, checked before anything is written.

SQLite would take any length where PostgreSQL refuses and MLflow's client cuts; here the same limits hold everywhere,
and nothing is ever cut.
"""

import re
from collections.abc import Mapping, Sequence

from trackers.errors import InvalidRecord
from trackers.records import (
    STATUS_OF_STATE,
    Artifact,
    Change,
    Dataset,
    LoggedModel,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    SweepFacts,
    TrialFacts,
    Value,
)

KEY = 250
PARAM = 6000
TAG = 8000
NAME = 250
EXPERIMENT = 256
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_BIGGEST = 2**63


def check_change(change: Change) -> None:
    """InvalidRecord that names the key, the length and the limit where this change cannot be stored as it is."""
    check_run_id(change.run_id)
    if not isinstance(change, RunStarted | RunUpdated | RunEnded):
        return
    _texts("tag", change.tags, TAG)
    if isinstance(change, RunStarted):
        _started(change)
    elif isinstance(change, RunUpdated):
        _values("param", change.params)
    else:
        _ended(change)
    for dataset in change.datasets:
        _dataset(dataset)
    if not isinstance(change, RunStarted):
        _points(change.points)
        _artifacts(change.artifacts)
        _models(change.models)


def check_run_id(run_id: str) -> None:
    """InvalidRecord unless it has 1 to 32 letters, digits, `_` and `-`, as MLflow has run ids."""
    if not _RUN_ID.fullmatch(run_id):
        raise InvalidRecord(f"a run id has 1 to 32 letters, digits, '_' and '-', got {run_id!r}")


def check_experiment(name: str) -> None:
    """InvalidRecord unless the name fits MLflow's column and is not empty."""
    _filled("the experiment's name", name, EXPERIMENT)


def check_text(what: str, text: str, limit: int) -> None:
    """InvalidRecord where a text is too long, or holds what no database takes."""
    if not isinstance(text, str):
        raise InvalidRecord(f"{what} must be a text, got {type(text).__name__} {text!r:.80}")
    if len(text) > limit:
        raise InvalidRecord(f"{what} may have {limit} characters, got {len(text)}")
    if "\0" in text:
        raise InvalidRecord(f"{what} holds a NUL character at position {text.index(chr(0))}; take it out")
    if not text.isascii():
        _check_encodable(what, text)


def _check_encodable(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(f"{what} holds half a character (a lone surrogate) at position {error.start}") from error


def _filled(what: str, text: str, limit: int) -> None:
    if _is_plain(text, limit) and text:
        return
    check_text(what, text, limit)
    if not text:
        raise InvalidRecord(f"{what} may not be empty")


def _is_plain(text: object, limit: int) -> bool:
    """The quick look that nearly every text passes; it is taken twenty times a trial."""
    return type(text) is str and len(text) <= limit and text.isascii() and "\0" not in text


def _texts(kind: str, texts: Mapping[str, str], limit: int) -> None:
    for key, text in texts.items():
        if not (key and _is_plain(key, KEY)):
            _filled(f"a {kind}'s key", key, KEY)
        if not _is_plain(text, limit):
            check_text(f"{kind} {key!r}", text, limit)


def _values(kind: str, params: Mapping[str, Value]) -> None:
    for key, value in params.items():
        if not (key and _is_plain(key, KEY)):
            _filled(f"a {kind}'s key", key, KEY)
        if isinstance(value, str):
            if not _is_plain(value, PARAM):
                check_text(f"{kind} {key!r}", value, PARAM)
        elif isinstance(value, int) and value.bit_length() > 10_000:
            raise InvalidRecord(f"{kind} {key!r} is a number of more than 3000 digits; keep it as a text")
        elif not isinstance(value, str | int | float | None):
            raise InvalidRecord(f"{kind} {key!r} must be a text, number, bool or None, got {type(value).__name__}")


def _started(change: RunStarted) -> None:
    _filled("a run's name", change.name, NAME)
    check_text("a run's user", change.user, 256)
    _values("param", change.params)
    if change.parent_id is not None:
        check_run_id(change.parent_id)
    if change.sweep is not None:
        _sweep(change.sweep)
    if change.trial is not None:
        _trial(change.trial)
        if change.parent_id is None:
            raise InvalidRecord(f"trial {change.trial.number} needs a parent_id: the run of its sweep")
        if change.trial.state not in ("RUNNING", "WAITING"):
            raise InvalidRecord(f"trial {change.trial.number} begins RUNNING or WAITING, got {change.trial.state!r}")


def _ended(change: RunEnded) -> None:
    trial = change.trial
    if trial is None:
        return
    _trial(trial)
    if trial.state == "RUNNING":
        raise InvalidRecord(f"trial {trial.number} ends in another state than RUNNING")
    if STATUS_OF_STATE[trial.state] != change.status:
        raise InvalidRecord(
            f"trial {trial.number} is {trial.state}, so its run is {STATUS_OF_STATE[trial.state]}, got {change.status}"
        )


def _trial(trial: TrialFacts) -> None:
    if trial.state not in STATUS_OF_STATE:
        raise InvalidRecord(f"a trial's state is one of {', '.join(STATUS_OF_STATE)}, got {trial.state!r}")
    if trial.value is not None and trial.state != "COMPLETE":
        raise InvalidRecord(f"trial {trial.number} is {trial.state}; only a COMPLETE one has a value")
    if not 0 <= trial.number < 2**31:
        raise InvalidRecord(f"a trial's number is 0 or more, got {trial.number}")
    check_text("a trial's reason", trial.reason, 64)
    for key, value in trial.params.items():
        if not isinstance(value, str | int | float | None):
            raise InvalidRecord(f"param {key!r} must be a text, number, bool or None, got {type(value).__name__}")


def _sweep(sweep: SweepFacts) -> None:
    check_text("a sweep's config", sweep.config, 10_000_000)
    check_text("a sweep's config hash", sweep.config_hash, 64)
    check_text("a sweep's metric", sweep.metric, KEY)
    if sweep.goal not in ("minimize", "maximize"):
        raise InvalidRecord(f"a sweep's goal is minimize or maximize, got {sweep.goal!r}")


def _points(points: Sequence[Point]) -> None:
    for point in points:
        _filled("a metric's key", point.metric, KEY)
        if not isinstance(point.value, float | int) or isinstance(point.value, bool):
            raise InvalidRecord(f"metric {point.metric!r} must be a number, got {type(point.value).__name__}")
        if not (-_BIGGEST <= point.step < _BIGGEST and -_BIGGEST <= point.timestamp < _BIGGEST):
            raise InvalidRecord(f"metric {point.metric!r}: step and timestamp must fit into 64 bits")
        if type(point.value) is int and abs(point.value) >= 2**1023:
            raise InvalidRecord(f"metric {point.metric!r} is too large a number")


def _dataset(dataset: Dataset) -> None:
    _filled("a data set's name", dataset.name, 500)
    _filled(f"the digest of data set {dataset.name!r}", dataset.digest, 36)
    _filled(f"the source type of data set {dataset.name!r}", dataset.source_type, 36)
    check_text(f"the source of data set {dataset.name!r}", dataset.source, 65_535)
    check_text(f"the schema of data set {dataset.name!r}", dataset.schema or "", 1_048_575)
    check_text(f"the profile of data set {dataset.name!r}", dataset.profile or "", 16_777_215)
    check_text(f"the context of data set {dataset.name!r}", dataset.context, 500)


def _artifacts(artifacts: Sequence[Artifact]) -> None:
    for artifact in artifacts:
        _filled("an artifact's path", artifact.path, 1000)
        _filled(f"the sha256 of {artifact.path!r}", artifact.sha256, 64)


def _models(models: Sequence[LoggedModel]) -> None:
    for model in models:
        _filled("a model's id", model.model_id, 36)
        _filled("a model's name", model.name, 500)
        _filled("a model's path", model.path, 700)
