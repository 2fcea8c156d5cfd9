"""What trials keep, put into the tracking store's artifact folder."""

from dataclasses import dataclass
from pathlib import Path

from hpo.objective import TrialFiles
from hpo.provenance.input_file import input_file
from hpo.trial import InputFile, SavedFile, SavedModel
from trackers.artifacts import ArtifactFolder
from trackers.records import Artifact


@dataclass(frozen=True)
class StoredFiles:
    """TrialFiles over an ArtifactFolder: the same facts, in the driver's own records."""

    folder: ArtifactFolder

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        """Copies a file or a folder below the run's artifacts, each file whole or not at all."""
        return [_saved(artifact) for artifact in self.folder.save_file(artifact_uri, source, name)]

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        """Writes an MLflow model folder below the run's artifacts."""
        saved, files = self.folder.save_model(
            artifact_uri, model, name=name, run_id=run_id, input_example=input_example
        )
        kept = SavedModel(saved.model_id, saved.name, saved.path, saved.flavor)
        return kept, [_saved(artifact) for artifact in files]

    def input_file(self, path: Path, name: str, context: str) -> InputFile:
        """What a file or folder that the trial reads holds."""
        return input_file(path, name, context)


def _saved(artifact: Artifact) -> SavedFile:
    return SavedFile(artifact.path, artifact.size, artifact.sha256)


_: type[TrialFiles] = StoredFiles
