"""A remote MLflow server as a mirror needs it: MLflow's client, imported when a server is made."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trackers.errors import MirrorRefused, MirrorUnavailable
from trackers.mirror_view import remote_name
from trackers.mlflow_asking import MISSING, THERE_ALREADY, asking, silent
from trackers.mlflow_registry import RemoteRegistry
from trackers.records import Dataset, Point
from trackers.rows import CONTEXT_TAG

if TYPE_CHECKING:  # for the types only: it takes seconds to import
    from contextlib import AbstractContextManager

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run, RunTag

METRICS, TEXTS = 500, 100
"""Points, and params or tags, in one request: MLflow takes 1000 and 100, and a megabyte in all."""
BYTES = 500_000
PAGE = 1000
MODEL_TAG = "hpo.model_id"
"""The tag by which a remote model is found again."""


@dataclass(frozen=True)
class RemoteRun:
    """What a server says of a run; `models` are the ids of logged models it made."""

    id: str
    status: str
    is_deleted: bool
    artifact_uri: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[str] = ()


class MlflowServer:
    """One server, by its http(s) URI. User and password come from MLflow's own variables.

    Every method raises MirrorUnavailable where asking again later may help, MirrorRefused where it will not.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        with silent():
            try:
                import mlflow
            except ImportError as error:
                raise MirrorUnavailable(
                    f'a mirror needs MLflow\'s client ({error}): pip install "tracked-hpo[mlflow]"'
                ) from error
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            self._client: MlflowClient = mlflow.MlflowClient(uri, registry_uri=uri)
        self.registry = RemoteRegistry(uri, self._client)
        self._experiments: dict[str, str] = {}

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, made if missing."""
        if name not in self._experiments:
            with self._asking(f"experiment {name!r}"):
                found = self._client.get_experiment_by_name(name)
            if found is None:
                self._experiments[name] = self._new_experiment(name)
            elif found.lifecycle_stage == "deleted":
                raise MirrorUnavailable(
                    f"{self.uri}: experiment {name!r} is deleted there; bring it back by: "
                    f"mlflow experiments restore -x {found.experiment_id}"
                )
            else:
                self._experiments[name] = found.experiment_id
        return self._experiments[name]

    def _new_experiment(self, name: str) -> str:
        try:
            with self._asking(f"experiment {name!r}"):
                return str(self._client.create_experiment(name))
        except MirrorRefused as error:
            if error.code != THERE_ALREADY:
                raise
        return self.experiment(name)  # somebody else was faster

    def find_runs(self, experiment_id: str, tag: str, value: str) -> Iterator[RemoteRun]:
        """All runs with this tag, deleted ones too, the oldest first, page by page."""
        token = None
        while True:
            with self._asking("runs"):
                page = self._client.search_runs(
                    [experiment_id],
                    f"tags.`{tag}` = '{value}'",
                    run_view_type=3,  # ViewType.ALL
                    max_results=PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            yield from map(_remote_run, page)
            token = page.token
            if not token:
                return

    def get_run(self, run_id: str) -> RemoteRun | None:
        """One run; None where the server has none of that id."""
        try:
            with self._asking(f"run {run_id}"):
                return _remote_run(self._client.get_run(run_id))
        except MirrorRefused as error:
            if error.code == MISSING:
                return None
            raise

    def create_run(self, experiment_id: str, name: str, started: int, tags: Mapping[str, str]) -> RemoteRun:
        """A new run, which is RUNNING."""
        with self._asking(f"run {name!r}"):
            made = self._client.create_run(experiment_id, start_time=started or 1, tags=dict(tags), run_name=name)
        return _remote_run(made)

    def log(
        self, run_id: str, params: Mapping[str, str], tags: Mapping[str, str], points: Sequence[Point] = ()
    ) -> None:
        """Adds params and points and sets tags; points that are there already are not doubled."""
        from mlflow.entities import Param, RunTag

        pairs = [(Param(*pair), None) for pair in params.items()] + [(None, RunTag(*pair)) for pair in tags.items()]
        first, rest = _metrics(points[:METRICS]), points[METRICS:]
        for part in _batches(pairs) or ([[]] if first else []):
            with self._asking(f"run {run_id}"):
                self._client.log_batch(
                    run_id,
                    metrics=first,
                    params=[param for param, _ in part if param],
                    tags=[tag for _, tag in part if tag],
                    synchronous=True,
                )
            first = []
        self.log_points(run_id, rest)

    def log_points(self, run_id: str, points: Sequence[Point], model_id: str | None = None) -> None:
        """Adds points to a run, with the model that has them too."""
        for start in range(0, len(points), METRICS):
            made = _metrics(points[start : start + METRICS], model_id)
            with self._asking(f"run {run_id}"):
                self._client.log_batch(run_id, metrics=made, synchronous=True)

    def log_datasets(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """Adds data sets that the run read."""
        from mlflow.entities import Dataset as Data
        from mlflow.entities import DatasetInput, InputTag

        made = [
            DatasetInput(
                Data(data.name, data.digest, data.source_type, data.source, data.schema, data.profile),
                [InputTag(CONTEXT_TAG, data.context)] if data.context else [],
            )
            for data in datasets
        ]
        with self._asking(f"run {run_id}"):
            self._client.log_inputs(run_id, made)

    def log_files(self, run_id: str, folder: Path) -> None:
        """Adds all files of a folder to the run's artifacts."""
        with self._asking(f"files of run {run_id}"):
            self._client.log_artifacts(run_id, str(folder))

    def set_status(self, run_id: str, status: str, ended: int | None) -> None:
        """Sets the status, and the end where there is one."""
        with self._asking(f"run {run_id}"):
            if ended is None:
                self._client.update_run(run_id, status=status)
            else:
                self._client.set_terminated(run_id, status, ended)

    def delete_run(self, run_id: str) -> None:
        """Deletes a run; it can be restored."""
        with self._asking(f"run {run_id}"):
            self._client.delete_run(run_id)

    def restore_run(self, run_id: str) -> None:
        """Brings a deleted run back."""
        with self._asking(f"run {run_id}"):
            self._client.restore_run(run_id)

    def find_model(self, experiment_id: str, run_id: str, model_id: str) -> str | None:
        """The remote id of our logged model that a run made; None where there is none."""
        with self._asking(f"models of run {run_id}"):
            found = self._client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        return next((str(model.model_id) for model in found if model.tags.get(MODEL_TAG) == model_id), None)

    def create_model(
        self, experiment_id: str, run_id: str, name: str, params: Mapping[str, str], tags: Mapping[str, str]
    ) -> str:
        """The id of a new logged model that a run made; not ready yet."""
        with self._asking(f"model of run {run_id}"):
            made = self._client.create_logged_model(
                experiment_id, name=name, source_run_id=run_id, tags=dict(tags), params=dict(params)
            )
        return str(made.model_id)

    def fill_model(self, run: RemoteRun, model_id: str, folder: Path) -> None:
        """Uploads the files of a logged model, and says that it is ready and that the run made it, if it does not."""
        from mlflow.entities import LoggedModelOutput

        with self._asking(f"files of model {model_id}"):
            self._client.log_model_artifacts(model_id, str(folder))
            self._client.finalize_logged_model(model_id, "READY")
            if model_id not in run.models:  # MLflow refuses to be told twice
                self._client.log_outputs(run.id, [LoggedModelOutput(model_id, 0)])

    def delete_model(self, model_id: str) -> None:
        """Deletes a logged model, if it is one of ours."""
        with self._asking(f"model {model_id}"):
            if MODEL_TAG in self._client.get_logged_model(model_id).tags:
                self._client.delete_logged_model(model_id)

    def _asking(self, what: str) -> "AbstractContextManager[None]":
        return asking(self.uri, what)


def _metrics(points: Sequence[Point], model_id: str | None = None) -> "list[Metric]":
    from mlflow.entities import Metric

    return [
        Metric(remote_name(point.metric), point.value, max(point.timestamp, 0), point.step, model_id=model_id)
        for point in points
    ]


_Pair = tuple["Param | None", "RunTag | None"]


def _batches(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """Params and tags in as many requests as their number and their length take."""
    made: list[list[_Pair]] = []
    size = 0
    for pair in pairs:
        length = sum(len(json.dumps(part.value)) for part in pair if part)
        if not made or len(made[-1]) == TEXTS or size + length > BYTES:
            made.append([])
            size = 0
        made[-1].append(pair)
        size += length
    return made


def _remote_run(run: "Run") -> RemoteRun:
    outputs = run.outputs.model_outputs if run.outputs else []
    info, data = run.info, run.data
    return RemoteRun(
        id=str(info.run_id),
        status=str(info.status),
        is_deleted=info.lifecycle_stage == "deleted",
        artifact_uri=str(info.artifact_uri),
        params=dict(data.params),
        tags=dict(data.tags),
        models=[str(output.model_id) for output in outputs],
    )
