"""What a change becomes as rows: the rules of MLflow's store that every implementation here shares.

Each rule was read off MLflow's own store (`mlflow/store/tracking/sqlalchemy_store.py`) and is held to it by a
differential test.
"""

import json
import math
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trackers.errors import InvalidRecord
from trackers.records import STATUS_OF_STATE, Point, RunStarted, Status, TrialFacts, Value

PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
USER_TAG = "mlflow.user"
CONTEXT_TAG = "mlflow.data.context"
ERASING_TAG = "hpo.erasing"
"""On a deleted run of which files may be gone already."""

LARGEST = 1.7976931348623157e308
"""What stands for infinity in a metric; MLflow keeps infinities so, and reads them back as this number."""

STATE_OF_STATUS: Mapping[Status, str] = {status: state for state, status in STATUS_OF_STATE.items()}


_OWN_FOLDER = re.compile(r"/artifacts(-[0-9]+)?(?P<end>/?(\?[^/]*)?)$")
"""How the artifact folder of a run ends that we made."""


class MetricRow(NamedTuple):
    """One row of `metrics`, without the run; a NaN is the value 0 with `is_nan`."""

    key: str
    value: float
    timestamp: int
    step: int
    is_nan: bool

    @property
    def age(self) -> tuple[int, int, float]:
        """What decides which row of a metric is the latest: step, then timestamp, then value."""
        return self.step, self.timestamp, self.value

    @property
    def number(self) -> float:
        """The value as read: NaN again where it was NaN."""
        return math.nan if self.is_nan else self.value


def metric_row(point: Point) -> MetricRow:
    """The row of a point; equal points give equal rows, so a repeated one collapses."""
    value = float(point.value)
    if value != value:
        return MetricRow(point.metric, 0.0, point.timestamp, point.step, True)
    return MetricRow(point.metric, min(max(value, -LARGEST), LARGEST), point.timestamp, point.step, False)


def latest(rows: Iterable[MetricRow], before: Mapping[str, MetricRow] | None = None) -> dict[str, MetricRow]:
    """The latest row of each metric; of rows of one age the first stays."""
    newest: dict[str, MetricRow] = dict(before or {})
    for row in rows:
        known = newest.get(row.key)
        if known is None or row.age > known.age:
            newest[row.key] = row
    return newest


def is_finite(value: float) -> bool:
    """Whether a stored metric is a number to rank by; the stand-ins for infinity are not."""
    return -LARGEST < value < LARGEST


def text_of(value: Value) -> str:
    """A param as MLflow keeps it."""
    return str(value)


def run_tags(change: RunStarted) -> dict[str, str]:
    """The tags of a run that begins: its own, and those MLflow expects of the name, the user and the parent."""
    tags = dict(change.tags)
    if change.user:
        tags.setdefault(USER_TAG, change.user)
    if change.parent_id is not None:
        tags[PARENT_TAG] = change.parent_id
    tags[NAME_TAG] = change.name
    return tags


def status_at_start(change: RunStarted) -> Status:
    """RUNNING, or SCHEDULED for a trial that waits."""
    return Status.RUNNING if change.trial is None else STATUS_OF_STATE[change.trial.state]


def merged_params(texts: Mapping[str, str], trial: TrialFacts | None) -> dict[str, Value]:
    """The params of a run as read: typed and in the trial's order where the typed value is the one that stands."""
    params: dict[str, Value] = {}
    for key, value in (trial.params if trial else {}).items():
        text = texts.get(key)
        params[key] = value if text is None or text == text_of(value) else text
    for key in sorted(texts.keys() - params.keys()):
        params[key] = texts[key]
    return params


def params_json(params: Mapping[str, Value]) -> str:
    """Typed params as one JSON text, in order."""
    return json.dumps(dict(params), separators=(",", ":"))


def plain_trial(trial: TrialFacts) -> TrialFacts:
    """The same facts as a store gives them back: plain Python values, texts that any database can hold."""
    return TrialFacts(
        number=trial.number,
        params=json.loads(params_json(trial.params)),
        state=trial.state,
        attempt=trial.attempt,
        seed=trial.seed,
        value=None if trial.value is None else float(trial.value),
        reason=trial.reason,
        error=visible(trial.error),
        traceback=visible(trial.traceback),
        seconds=None if trial.seconds is None else float(trial.seconds),
    )


def visible(text: str) -> str:
    r"""The text with what no database holds written out: NUL as `\x00`, lone surrogates as `\udc80`."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def below(uri: str, *names: str) -> str:
    """The URI of something below a folder's URI, its query left in place."""
    if "://" not in uri:
        return "/".join([uri.rstrip("/"), *names])
    parts = urllib.parse.urlsplit(uri)
    return urllib.parse.urlunsplit(parts._replace(path="/".join([parts.path.rstrip("/"), *names])))


def artifact_uri(location: str, run_id: str, attempt: int = 1) -> str:
    """The artifact folder of a run in an experiment of that artifact location; InvalidRecord where it is too long."""
    return _checked(below(location, run_id, _folder_name(attempt)))


def attempt_uri(uri: str, attempt: int) -> str:
    """The folder of another attempt beside that of a run; InvalidRecord where it is too long.

    Each attempt of a trial has a folder of its own: one that was given up may still write, and must harm no other. A
    folder that does not lie where we put them serves all attempts.
    """
    return _checked(_OWN_FOLDER.sub(f"/{_folder_name(attempt)}\\g<end>", uri))


def _folder_name(attempt: int) -> str:
    return "artifacts" if attempt <= 1 else f"artifacts-{attempt}"


def _checked(uri: str) -> str:
    if len(uri) > 200:
        raise InvalidRecord(
            f"the artifact folder of a run may have 200 characters, this one has {len(uri)}: {uri}; "
            "choose an artifact folder nearer to the root"
        )
    return uri
