"""How a run is told to another MLflow server: as MLflow's texts, and typed in a tag of ours beside them."""

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from trackers.outbox import Parcel, digest
from trackers.records import STATUS_OF_STATE, Run, Status, Value
from trackers.rows import PARENT_TAG, text_of

RUN_TAG = "hpo.run_id"
"""The tag of a remote run that holds our run's id, by which it is found again."""
TRIAL_TAG, SWEEP_TAG, NAMES_TAG = "hpo.trial", "hpo.sweep", "hpo.names"
LONG_FILE = "hpo/long.json"
"""The artifact with the tags that are too long for a server."""
TRACEBACK_FILE, CONFIG_FILE = "hpo/traceback.txt", "hpo/sweep.json"

LONGEST_TAG = 5000
"""Characters of a tag's value that every server takes; MLflow 3 takes 8000."""
LONGEST_NAME = 250
_NAME = re.compile(r"[/\w.\- :]+")


@dataclass(frozen=True)
class View:
    """A run as the server is to have it. `texts` are files that we make of what fits nowhere else, by path."""

    name: str
    status: Status
    started: int
    ended: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    texts: Mapping[str, str]


def view_of(parcel: Parcel, parent: str | None) -> View:
    """The run as MLflow is told it; `parent` is the remote id of its parent run."""
    run = parcel.run
    tags = {remote_name(key): text for key, text in run.tags.items() if key != PARENT_TAG}
    if parent is not None:
        tags[PARENT_TAG] = parent
    params = {remote_name(key): text_of(value) for key, value in run.params.items()}
    tags |= {RUN_TAG: run.id, **_facts(run), **_names([*run.params, *run.metrics, *run.tags])}
    long = {key: text for key, text in tags.items() if len(text) > LONGEST_TAG}
    tags |= dict.fromkeys(long, json.dumps({"see": f"artifact {LONG_FILE}"}))
    texts = {LONG_FILE: json.dumps(long, indent=1)} if long else {}
    if run.trial and run.trial.traceback:
        texts[TRACEBACK_FILE] = run.trial.traceback
    if run.sweep:
        texts[CONFIG_FILE] = run.sweep.config
    status = STATUS_OF_STATE[run.trial.state] if run.trial else run.status
    return View(run.name, status, run.started or 0, run.ended, params, tags, texts)


def typed_params(tags: Mapping[str, str]) -> dict[str, Value]:
    """The params of a trial with their types, from the tags of its run on a mirror; they stand in a file if long."""
    facts = json.loads(tags.get(TRIAL_TAG, "{}"))
    params: dict[str, Value] = facts.get("params", {})
    return params


def remote_name(name: str) -> str:
    """The name if MLflow takes it for a param, metric or tag; else one that it takes, the same one each time.

    What it does not take is written as `_x40_`, for `@`; `hpo.names` on the run says what was what.
    """
    if _NAME.fullmatch(name) and not _is_path(name) and len(name) <= LONGEST_NAME:
        return name
    harmless = r"\w\- :" if _is_path(name) else r"/\w.\- :"
    made = re.sub(f"[^{harmless}]", lambda found: f"_x{ord(found.group()):x}_", name)
    return made if len(made) <= LONGEST_NAME else f"{made[: LONGEST_NAME - 33]}_{digest(name)}"


def _is_path(name: str) -> bool:
    """MLflow's rule: a name that would be another one if it were a path."""
    plain = posixpath.normpath(name)
    return plain != name or plain == "." or plain.startswith(("..", "/"))


def _names(names: Sequence[str]) -> dict[str, str]:
    changed = {remote_name(name): name for name in names if remote_name(name) != name}
    return {NAMES_TAG: json.dumps(changed)} if changed else {}


def _facts(run: Run) -> dict[str, str]:
    """What our own tables know of the run, as JSON: numbers keep every digit, an int stays an int."""
    if run.trial is not None:
        trial = {name: value for name, value in asdict(run.trial).items() if name != "traceback"}
        return {TRIAL_TAG: json.dumps(trial)}
    if run.sweep is not None:
        sweep = {name: value for name, value in asdict(run.sweep).items() if name != "config"}
        return {SWEEP_TAG: json.dumps({**sweep, "config": f"artifact {CONFIG_FILE}"})}
    return {}
