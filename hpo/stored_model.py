"""Kept models, loaded where they are judged: verified against the manifest, and nothing that could run code."""

from dataclasses import dataclass

from hpo.champion import KeptFiles
from hpo.objective import ModelSource
from trackers.artifacts import ArtifactFolder


@dataclass(frozen=True)
class StoredModel:
    """A model below a run's artifacts. Loaded are the very bytes that were verified, and never a pickle."""

    kept: KeptFiles

    def load(self) -> object:
        """The model; ModelError where it is altered, or kept as a pickle."""
        return ArtifactFolder().load_model(self.kept.artifact_uri, self.kept.path, self.kept.files)


_: type[ModelSource] = StoredModel
