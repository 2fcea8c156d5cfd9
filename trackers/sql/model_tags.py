"""The models a run keeps where there are no tables for them: MLflow before 3.0 lists them in a tag of the run."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from trackers.records import LoggedModel
from trackers.registry_rules import MODEL_ID
from trackers.rows import below
from trackers.sql.cursor import Cursor
from trackers.sql.statements import Statements

HISTORY_TAG = "mlflow.log-model.history"
LONGEST = 5000
"""Characters of a tag's value that every MLflow takes."""


class ModelTagWriter:
    """Puts models into the tag and takes them out; see `ModelWriter` for databases of MLflow 3."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def put(self, cursor: Cursor, run_id: str, models: Sequence[LoggedModel]) -> None:
        """Adds models that are whole; those that the tag has no room for are known by the manifest only."""
        if not models:
            return
        new = {model.path for model in models}
        kept = [entry for entry in self._entries(cursor, run_id) if entry.get("artifact_path") not in new]
        for model in models:
            longer = [*kept, entry_of(run_id, model)]
            if len(json.dumps(longer)) <= LONGEST:
                kept = longer
        self._write(cursor, run_id, kept)

    def remove(self, cursor: Cursor, run_id: str, model_ids: Sequence[str]) -> None:
        """Forgets models of this run; ids it does not have are left alone."""
        if not model_ids:
            return
        entries = self._entries(cursor, run_id)
        kept = [entry for entry in entries if entry.get("model_uuid") not in model_ids]
        if len(kept) < len(entries):
            self._write(cursor, run_id, kept)

    def _entries(self, cursor: Cursor, run_id: str) -> list[dict[str, object]]:
        cursor.execute(self._sql.find_tags, (run_id,))
        return _entries({str(key): text for key, text in cursor.fetchall()}.get(HISTORY_TAG))

    def _write(self, cursor: Cursor, run_id: str, entries: Sequence[dict[str, object]]) -> None:
        cursor.execute(self._sql.tag, (HISTORY_TAG, json.dumps(entries), run_id))


def models_of_tag(text: str, artifact_uri: str) -> list[LoggedModel]:
    """The models that the tag of a run lists, by path; none where it cannot be read."""
    found = []
    for entry in _entries(text):
        path, known, flavors = entry.get("artifact_path"), str(entry.get("model_uuid")), entry.get("flavors")
        if not isinstance(path, str) or not path:
            continue
        model_id = known if MODEL_ID.fullmatch(f"models:/{known}") else ""
        names = [name for name in flavors if name != "python_function"] if isinstance(flavors, dict) else []
        flavor = str(names[0]) if names else ""
        found.append(LoggedModel(model_id, path.rsplit("/", 1)[-1], path, flavor, below(artifact_uri, path)))
    return sorted(found, key=lambda model: model.path)


def entry_of(run_id: str, model: LoggedModel) -> dict[str, object]:
    """What the tag says of one model, as far as MLflow 2 looks at it; the folder's own `MLmodel` says the rest."""
    return {
        "run_id": run_id,
        "artifact_path": model.path,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
        "model_uuid": model.model_id,
        "flavors": {name: {} for name in ("python_function", model.flavor) if name},
    }


def _entries(text: object) -> list[dict[str, object]]:
    try:
        found = json.loads(str(text)) if text else []
    except ValueError:
        return []
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
