"""What the steps of the pipeline share when they write runs: the store's place, data sets, code, time."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.pipeline.prepared import Prepared
from hpo.places import URI_VARIABLES, places_of
from hpo.provenance.git import git_tags
from trackers.records import Dataset, Point

CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}
"""MLflow's words for what a data set is read for."""


def store_uri(given: str | None) -> str:
    """The tracking database: the one given, else $HPO_TRACKER, else $MLFLOW_TRACKING_URI, else mlflow.db here."""
    return places_of([given, *(os.environ.get(name) for name in URI_VARIABLES)]).store


def datasets(data: Prepared, *parts: str) -> Sequence[Dataset]:
    """The parts as inputs of a run, each with the digest of its content."""
    return [_dataset(data, part) for part in parts]


def code_tags(step: str) -> Mapping[str, str]:
    """Which step of which commit made a run."""
    return {"mlflow.source.name": f"hpo.pipeline.{step}", "mlflow.source.type": "LOCAL", **git_tags(Path.cwd())}


def points(metrics: Mapping[str, float]) -> Sequence[Point]:
    """Metrics as recorded now."""
    return [Point(name, value, timestamp=now()) for name, value in metrics.items()]


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return round(time.time() * 1000)


def _dataset(data: Prepared, part: str) -> Dataset:
    described = data.described(part)
    profile = {"num_rows": described.get("kept"), "months": described.get("months"), "read": described.get("read")}
    return Dataset(
        name=f"green-taxi-{part}",
        digest=data.digest(part),
        source=json.dumps({"uri": str(data.folder / f"{part}.npz")}),
        profile=json.dumps(profile),
        context=CONTEXTS[part],
    )
