"""ArtifactFolder: keeps the files of runs, wherever their artifact URIs lead."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trackers import models
from trackers.artifacts.local_place import LocalPlace
from trackers.artifacts.names import check_name
from trackers.artifacts.object_place import ObjectPlace
from trackers.artifacts.opened_buckets import bucket_of
from trackers.artifacts.place import Place
from trackers.artifacts.sources import digest_of, sources_of
from trackers.artifacts.uris import location_of
from trackers.errors import InvalidRecord, ModelError, NotFound
from trackers.model_folder import adopt_folder
from trackers.records import Artifact, LoggedModel


@dataclass(frozen=True)
class ArtifactFolder:
    """The files of runs, each addressed by the run's artifact URI and a name below it.

    A URI is an absolute path, `file://..`, or a path in an object store, as MLflow writes them (see
    `trackers.artifacts.uris`). With a `root`, URIs outside of it are refused. Holds no connection, so it can be pickled
    to workers. Errors: `InvalidRecord` for a bad name or place, `NotFound` for what is not there, `ModelError` for a
    model, `NotPermitted` where there is no access, `StoreUnavailable` for a disk or an object store in trouble.
    """

    root: str = ""

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[Artifact]:
        """Copies a file, or a folder with all it holds, to `name`; each file is there whole or not at all.

        On return the files are durable. Links that lead out of the saved folder are refused.
        """
        place = self._place(artifact_uri)
        return sorted(place.save(sources_of(Path(source), check_name(name))), key=lambda artifact: artifact.path)

    def save_model(
        self,
        artifact_uri: str,
        model: object,
        *,
        name: str,
        run_id: str,
        input_example: object = None,
        allow_pickle: bool = False,
    ) -> tuple[LoggedModel, list[Artifact]]:
        """Writes an MLflow model folder to `name`; the same run and name give the same model id.

        A path is that of a model folder which is there already, and is copied.
        """
        place = self._place(artifact_uri)
        check_name(name)
        model_id = "m-" + hashlib.sha256(f"{run_id}/{name}".encode()).hexdigest()[:32]
        with tempfile.TemporaryDirectory(prefix=f"hpo-scratch-{os.getpid()}-") as scratch:
            folder = Path(scratch)
            facts = models.ModelFacts(model_id, run_id, place.uri(name))
            if isinstance(model, Path):
                flavor = adopt_folder(folder, model, facts=facts)
            else:
                flavor = "sklearn"
                models.write_model(folder, model, facts=facts, input_example=input_example, allow_pickle=allow_pickle)
            files = self.save_file(artifact_uri, folder, name)
        return LoggedModel(model_id=model_id, name=name.rsplit("/", 1)[-1], path=name, flavor=flavor), files

    def load_model(
        self, artifact_uri: str, name: str, manifest: Sequence[Artifact], *, trust_pickle: bool = False
    ) -> object:
        """The model in folder `name`, after every file the manifest lists below it was found unaltered.

        What is loaded is the very bytes that were verified, and nothing that the manifest does not list.
        """
        wanted = [artifact for artifact in manifest if artifact.path.startswith(f"{check_name(name)}/")]
        if not wanted:
            raise ModelError(f"no files of a model {name!r} are on record, so nothing vouches for {artifact_uri}")
        if wrong := self.verify(artifact_uri, wanted):
            raise ModelError(f"model {name!r} in {artifact_uri} is not what was saved; missing or altered: {wrong}")
        return models.read_model(
            lambda path: self._verified(artifact_uri, f"{name}/{path}", wanted), trust_pickle=trust_pickle
        )

    def open(self, artifact_uri: str, name: str) -> BinaryIO:
        """A kept file, open for reading; `NotFound` where there is none."""
        return self._place(artifact_uri).open(check_name(name))

    def names(self, artifact_uri: str) -> Sequence[str]:
        """The names of all files below the URI, sorted; none if nothing was kept."""
        return sorted(self.sizes(artifact_uri))

    def sizes(self, artifact_uri: str) -> Mapping[str, int]:
        """The bytes of all files below the URI, by name."""
        return self._place(artifact_uri).sizes()

    def verify(self, artifact_uri: str, artifacts: Sequence[Artifact]) -> Sequence[str]:
        """The names of those files that are missing or not what the manifest says, in its order."""
        place = self._place(artifact_uri)
        return [artifact.path for artifact in artifacts if not _holds(place, artifact)]

    def delete(self, artifact_uri: str, names: Sequence[str]) -> None:
        """Removes files, then folders this left empty; what is gone already is no error."""
        self._place(artifact_uri).remove([check_name(name) for name in names])

    def check_writable(self, uri: str) -> None:
        """Writes and deletes a small object, so that a wrong bucket is known early; nothing in a local folder."""
        self._place(uri).check_writable()

    def _place(self, artifact_uri: str) -> Place:
        location = location_of(artifact_uri)
        if self.root and not location.is_below(location_of(self.root)):
            raise InvalidRecord(f"artifacts must lie below {self.root}, got {location}")
        return LocalPlace(location.path) if location.kind == "file" else ObjectPlace(location, bucket_of(location))

    def _verified(self, artifact_uri: str, path: str, manifest: Sequence[Artifact]) -> bytes:
        listed = {artifact.path: artifact for artifact in manifest}
        if path not in listed:
            raise ModelError(f"{path} in {artifact_uri} is not in the manifest of the model")
        with self.open(artifact_uri, path) as file:
            content = file.read(listed[path].size + 1)
        if hashlib.sha256(content).hexdigest() != listed[path].sha256:
            raise ModelError(f"{path} in {artifact_uri} was altered after it was saved")
        return content


def _holds(place: Place, artifact: Artifact) -> bool:
    try:
        with place.open(check_name(artifact.path)) as file:
            return digest_of(file) == (artifact.size, artifact.sha256)
    except (NotFound, InvalidRecord):
        return False
