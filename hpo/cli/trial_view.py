"""All that is known of one trial."""

from hpo.cli.fields_view import Fields
from hpo.cli.text import duration, short_time
from hpo.cli.trial_rows import trial_object
from hpo.front_on_record import several_of
from hpo.sweep_records import REPLAY_TAG
from trackers.records import Query, Run, TrialFacts
from trackers.tracker import Tracker

SHOWN_MLFLOW_TAGS = ("mlflow.note.content", "mlflow.source.git.commit")


def trial_details(tracker: Tracker, run: Run) -> dict[str, object]:
    """Everything, for programs: the documented fields of a trial, and the rest of its run."""
    parent = tracker.get(run.parent_id) if run.parent_id else None
    facts = run.trial
    metric = parent.sweep.metric if parent and parent.sweep else None
    below = [each for each in tracker.find(Query(parent=run.id)) if each.trial is not None]
    return {
        "name": run.name,
        "sweep": parent.name if parent else None,
        **trial_object(run, metric, several_of(parent) if parent else ()),
        "metric": metric,
        "error": (facts.error or None) if facts else None,
        "traceback": (facts.traceback or None) if facts else None,
        "seed": facts.seed if facts else None,
        "tags": dict(run.tags),
        "artifacts": [
            {"path": file.path, "size": file.size, "sha256": file.sha256} for file in tracker.artifacts(run.id)
        ],
        "models": [
            {"name": model.name, "flavor": model.flavor, "uri": model.uri, "model_id": model.model_id}
            for model in run.models
        ],
        "replicates": [_again(each) for each in below if REPLAY_TAG not in each.tags],
        "replays": [{**_again(each), "verdict": each.tags[REPLAY_TAG]} for each in below if REPLAY_TAG in each.tags],
        "user": run.user,
        "experiment": run.experiment,
        "artifact_uri": run.artifact_uri,
    }


def trial_fields(tracker: Tracker, run: Run) -> Fields:
    """The same for people: without MLflow's inner tags and checksums."""
    data = trial_details(tracker, run)
    number, sweep = data["number"], data["sweep"]
    address = f"{sweep}#{run.name if number is None else number}" if sweep else run.name
    seconds, metric, values = data["seconds"], data["metric"], data.get("values")
    return {
        "trial": address,
        "state": data["state"],
        "reason": data["reason"],
        "error": data["error"],
        **(values if isinstance(values, dict) else {f"value ({metric})" if metric else "value": data["value"]}),
        "attempt": data["attempt"] if data["attempt"] != 1 else None,
        "started": short_time(run.started),
        "took": duration(seconds if isinstance(seconds, float) else None),
        "run_id": run.id,
        "params": run.params,
        "metrics": run.metrics,
        "tags": {
            name: value
            for name, value in run.tags.items()
            if not name.startswith("mlflow.") or name in SHOWN_MLFLOW_TAGS
        },
        "models": {model.name: f"{model.uri} ({model.flavor})" for model in run.models},
        "artifacts": {file.path: f"{file.size} bytes" for file in tracker.artifacts(run.id)},
        "replicates": _named(data["replicates"]),
        "replays": _named(data["replays"]),
        "artifacts at": run.artifact_uri,
        "traceback": data["traceback"],
        "next": f"hpo logs {address}" if data["state"] == "FAILED" else f"hpo register {address}" if run.models else "",
    }


def _again(run: Run) -> dict[str, object]:
    """A run of the trial's point below it."""
    own = run.trial or TrialFacts(0, {})
    return {"name": run.name, "seed": own.seed, "state": own.state, "value": own.value, "run_id": run.id}


def _named(runs: object) -> dict[str, str]:
    found = [again for again in runs if isinstance(again, dict)] if isinstance(runs, list) else []
    return {
        f"{again['name']} {again['run_id'][:8]}" if "verdict" in again else again["name"]: _text(again)
        for again in found
    }


def _text(again: dict[str, object]) -> str:
    value = again["value"]
    shown = f" {value:.6g}" if isinstance(value, float) else ""
    return f"{again['state']}{shown} with seed {again['seed']}" + (
        f": {again['verdict']}" if "verdict" in again else ""
    )
