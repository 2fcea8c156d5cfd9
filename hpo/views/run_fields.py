"""One trial, or any run: all that is known of it."""

import hashlib
from collections.abc import Sequence

from hpo.constraints import INFEASIBLE_TAG
from hpo.front_on_record import several_of
from hpo.masking import hide_patterns
from hpo.trial import State
from hpo.views.commands import Commands, named
from hpo.views.curves import thinned
from hpo.views.numbers import finite, finite_in, seconds_between
from hpo.views.run_files import files_of
from trackers.errors import NotFound
from trackers.records import Artifact, Point, Query, Run
from trackers.rows import STATE_OF_STATUS
from trackers.tracker import Tracker

MOST_POINTS = 500
"""Points of one metric; more are thinned evenly."""
MOST_METRICS = 100
MOST_FILES = 1000
MOST_BELOW = 100


def run_fields(tracker: Tracker, run: Run, *, commands: Commands) -> dict[str, object]:
    """A trial with its points, files, models and what was run of it again; times are milliseconds since 1970."""
    parent = _parent(tracker, run)
    facts = run.trial
    metric = parent.sweep.metric if parent and parent.sweep else None
    several = several_of(parent) if parent else {}
    files = files_of(tracker, run)
    return {
        "id": run.id,
        "name": run.name,
        "number": facts.number if facts else None,
        "sweep": {"id": parent.id, "name": parent.name} if parent else None,
        "state": facts.state if facts else STATE_OF_STATUS[run.status],
        "metric": metric,
        "value": finite(facts.value if facts else run.metrics.get(metric or "")),
        "values": finite_in({name: run.metrics[name] for name in several if name in run.metrics}),
        "reason": (facts.reason or None) if facts else None,
        "error": (facts.error or None) if facts else None,
        "traceback": (facts.traceback or None) if facts else None,
        "infeasible": run.tags.get(INFEASIBLE_TAG),
        "attempt": facts.attempt if facts else None,
        "seed": facts.seed if facts else None,
        "started": run.started,
        "ended": run.ended,
        "seconds": finite(facts.seconds) if facts else seconds_between(run.started, run.ended),
        "params": {name: _json_value(value) for name, value in run.params.items()},
        "metrics": _metrics(run, tracker.history(run.id)),
        "tags": {key: hide_patterns(value) for key, value in run.tags.items()},
        "user": run.user or None,
        "experiment": run.experiment,
        "artifacts": [
            {"id": artifact_id(run.id, file.path), "name": file.path, "size": file.size} for file in files[:MOST_FILES]
        ],
        "files": len(files),
        "models": [{"model_id": model.model_id, "name": model.name, "flavor": model.flavor} for model in run.models],
        "replicates": _below(tracker, run),
        "commands": _commands(run, parent, commands),
    }


def artifact_id(run_id: str, path: str) -> str:
    """What a file is asked for by: nobody can make a path of it, only look for it in the run's manifest."""
    return f"{run_id}-{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def artifact_of(tracker: Tracker, asked: str) -> tuple[Run, Artifact]:
    """The run and the file of such an id; NotFound where no manifest has it."""
    run = tracker.get(asked.partition("-")[0])
    for artifact in files_of(tracker, run):
        if artifact_id(run.id, artifact.path) == asked:
            return run, artifact
    raise NotFound("no run keeps such a file")


def _parent(tracker: Tracker, run: Run) -> Run | None:
    try:
        return tracker.get(run.parent_id) if run.parent_id else None
    except NotFound:
        return None


def _metrics(run: Run, history: Sequence[Point]) -> dict[str, object]:
    """Each metric's latest value, with its steps where there is more than one."""
    points: dict[str, list[Point]] = {}
    for point in history:
        points.setdefault(point.metric, []).append(point)
    found: dict[str, object] = {}
    for name, value in list(run.metrics.items())[:MOST_METRICS]:
        shown = thinned(points.get(name, []), MOST_POINTS)
        steps = len(shown) > 1
        found[name] = {
            "value": finite(value),
            "steps": [point.step for point in shown] if steps else [],
            "values": [finite(point.value) for point in shown] if steps else [],
        }
    return found


def _below(tracker: Tracker, run: Run) -> list[dict[str, object]]:
    return [
        {
            "id": again.id,
            "name": again.name,
            "state": again.trial.state if again.trial else STATE_OF_STATUS[again.status],
            "value": finite(again.trial.value) if again.trial else None,
            "seed": again.trial.seed if again.trial else None,
        }
        for again in tracker.find(Query(parent=run.id, limit=MOST_BELOW))
    ]


def _commands(run: Run, parent: Run | None, commands: Commands) -> list[dict[str, str]]:
    address = f"{named(parent)}#{run.trial.number}" if parent and run.trial else run.id
    found = [("show", "all of it in the terminal", commands("show", address))]
    if run.trial:
        found.append(("logs", "traceback and output", commands("logs", address)))
        if run.trial.state in (State.COMPLETE, State.PRUNED):
            found.append(("replay", "run it again and compare", commands("replay", address)))
    if run.models:
        found.append(("register", "register its model", commands("register", address)))
    return [{"name": name, "what": what, "command": command} for name, what, command in found]


def _json_value(value: object) -> object:
    return finite(value) if isinstance(value, float) else value
