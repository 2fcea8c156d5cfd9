"""Sends one run to a server: what it lacks of data, then files, then models, then how the run stands."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trackers.artifacts import ArtifactFolder, check_name
from trackers.errors import MirrorRefused, TrackerError
from trackers.failpoints import reach
from trackers.mirror_view import View, remote_name, view_of
from trackers.mlflow_mirror import MODEL_TAG, MlflowServer, RemoteRun
from trackers.outbox import FILES, MODEL, Mark, Outbox, Parcel, digest
from trackers.records import Artifact, LoggedModel, Point, Status
from trackers.rows import MetricRow, latest, metric_row, text_of

CHUNK = 1 << 20
ENDED = (Status.FINISHED, Status.FAILED, Status.KILLED)
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
"""MLflow's word for a request that a server does not know: MLflow 2 has no logged models."""


def model_key(run_id: str, model_id: str) -> str:
    """Under which key a model has its mark."""
    return f"{run_id}/{model_id}"


@dataclass(frozen=True)
class RunSender:
    """Sends runs of one sweep. `mark` finds a mark by kind and key, `note` takes a new one."""

    server: MlflowServer
    outbox: Outbox
    mark: Callable[[str, str], Mark | None]
    note: Callable[[Mark], None]
    artifacts: ArtifactFolder = field(default_factory=ArtifactFolder)

    def create(self, experiment_id: str, parcel: Parcel, parent: str | None) -> RemoteRun:
        """The new remote run, with all its tags, so that it can be found again by them."""
        view = view_of(parcel, parent)
        reach("mirror.before_create")
        made = self.server.create_run(experiment_id, view.name, view.started, view.tags)
        reach("mirror.after_create")
        return made

    def send(self, parcel: Parcel, known: RemoteRun, parent: str | None) -> None:
        """Makes the remote run what ours is, but for models; MirrorRefused where a file could not go, after all else
        did."""
        if parcel.is_deleted and known.is_deleted:
            return
        if known.is_deleted:
            self.server.restore_run(known.id)
        view = view_of(parcel, parent)
        self._data(parcel, view, known)
        refused: MirrorRefused | None = None
        try:
            self._files(parcel, view, known)
        except MirrorRefused as error:
            refused = error
        ended = view.ended if view.status in ENDED else None
        if ended is not None or view.status != known.status:
            self.server.set_status(known.id, view.status, ended)
        if parcel.is_deleted:
            self.server.delete_run(known.id)
        if refused:
            raise refused

    def send_models(self, experiment_id: str, parcel: Parcel, known: RemoteRun, *, is_new: bool) -> None:
        """Sends the models that the run keeps, and deletes those of ours that it keeps no more."""
        current = []
        for model in parcel.run.models:
            files, key = parcel.files_of(model), model_key(parcel.run.id, model.model_id)
            if not files:
                continue
            sent = digest([known.id, *map(asdict, files)])
            mark = self.mark(MODEL, key)
            if mark is None or mark.sent != sent:
                mark = Mark(MODEL, key, self._model(experiment_id, parcel, model, known, is_new=is_new), sent)
                self.note(mark)
            current.append(mark.remote)
        for gone in set(known.models) - set(current):
            self.server.delete_model(gone)

    def _data(self, parcel: Parcel, view: View, known: RemoteRun) -> None:
        # a param cannot be changed; where one was, hpo.trial says what it is now
        params = {name: text for name, text in view.params.items() if name not in known.params}
        tags = {name: text for name, text in view.tags.items() if known.tags.get(name) != text}
        pages = self.outbox.points(parcel.run.id) if parcel.point_count else iter([])
        first: Sequence[Point] = next(pages, [])
        self.server.log(known.id, params, tags, first)
        for points in pages:
            self.server.log_points(known.id, points)
        if parcel.datasets:
            self.server.log_datasets(known.id, parcel.datasets)

    def _files(self, parcel: Parcel, view: View, known: RemoteRun) -> None:
        files = parcel.files
        if not files and not view.texts:
            return
        sent = digest([[asdict(file) for file in files], dict(view.texts)])
        mark = self.mark(FILES, parcel.run.id)
        if mark and (mark.remote, mark.sent) == (known.id, sent):
            return
        with tempfile.TemporaryDirectory(prefix=f"hpo-scratch-{os.getpid()}-") as scratch:
            folder = Path(scratch)
            for path, text in view.texts.items():
                _place(folder, path).write_text(text, "utf-8", "backslashreplace")
            self._copy(parcel.run.artifact_uri, files, folder)
            self.server.log_files(known.id, folder)
        self.note(Mark(FILES, parcel.run.id, known.id, sent))

    def _model(self, experiment_id: str, parcel: Parcel, model: LoggedModel, known: RemoteRun, *, is_new: bool) -> str:
        """Sends a model; its remote id, or the place of its folder where the server knows no logged models."""
        run = parcel.run
        tags = {MODEL_TAG: model.model_id, "hpo.flavor": model.flavor}
        params = {remote_name(key): text_of(value) for key, value in run.params.items()}
        try:
            found = None if is_new else self.server.find_model(experiment_id, known.id, model.model_id)
            model_id = found or self.server.create_model(experiment_id, known.id, model.name, params, tags)
        except MirrorRefused as error:
            if error.code != NO_ENDPOINT:
                raise
            model_id = ""
        reach("mirror.after_model")
        own_ids = {run.id: known.id, **({model.model_id: model_id} if model_id else {})}
        with tempfile.TemporaryDirectory(prefix=f"hpo-scratch-{os.getpid()}-") as scratch:
            folder = Path(scratch)
            below = folder if model_id else folder / model.path
            self._copy(run.artifact_uri, parcel.files_of(model), below, strip=f"{model.path}/")
            _rename(below / "MLmodel", own_ids, f"models:/{model_id}" if model_id else model.path)
            if not model_id:
                self.server.log_files(known.id, folder)
                return f"{known.artifact_uri}/{model.path}"
            self.server.fill_model(known, model_id, folder)
        self.server.log_points(known.id, self._latest(run.id), model_id)
        return model_id

    def _latest(self, run_id: str) -> list[Point]:
        """The last point of each metric, as it is: MLflow knows it again and does not add it to the run once more."""
        rows: dict[str, MetricRow] = {}
        for points in self.outbox.points(run_id):
            rows = latest(map(metric_row, points), rows)
        return [Point(row.key, row.number, row.step, row.timestamp) for row in rows.values() if not row.is_nan]

    def _copy(self, artifact_uri: str, files: Sequence[Artifact], folder: Path, *, strip: str = "") -> None:
        """Copies files of the manifest; MirrorRefused for one that is not what the manifest says."""
        for file in files:
            found, size = hashlib.sha256(), 0
            try:
                target = _place(folder, file.path.removeprefix(strip))
                with self.artifacts.open(artifact_uri, file.path) as source, target.open("xb") as copy:
                    while chunk := source.read(CHUNK):
                        found.update(chunk)
                        size += copy.write(chunk)
            except TrackerError as error:
                raise MirrorRefused(f"{file.path}: {error}") from error
            if (size, found.hexdigest()) != (file.size, file.sha256):
                raise MirrorRefused(f"{file.path} in {artifact_uri} is not what was saved, so it was not sent")


def _place(folder: Path, path: str) -> Path:
    target = folder / check_name(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _rename(description: Path, ids: Mapping[str, str], place: str) -> None:
    """Lets an MLmodel file name the run and the model that the server has."""
    if not description.is_file():
        return
    lines = description.read_text("utf-8").splitlines(keepends=True)
    lines = [f"artifact_path: {place}\n" if line.startswith("artifact_path:") else line for line in lines]
    text = "".join(lines)
    for ours, theirs in ids.items():
        text = text.replace(ours, theirs)
    description.write_text(text, "utf-8")
