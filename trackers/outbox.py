"""What a mirror is to be sent, and what it was sent: derived from the runs on record, so that no queue can be lost."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from trackers.records import Artifact, Dataset, LoggedModel, ModelVersion, Point, Run

RUN, MODEL, FILES, VERSION, ALIAS = "run", "model", "files", "version", "alias"
"""The kinds of things that marks are about."""

_HALF = 32


@dataclass(frozen=True)
class Mark:
    """What a mirror was sent: `sent` is a digest of it, `remote` how the mirror calls it."""

    kind: str
    key: str
    remote: str
    sent: str


@dataclass(frozen=True)
class Parcel:
    """A run with everything of it that a mirror shows but its points, which may be many; they only ever grow."""

    run: Run
    is_deleted: bool
    point_count: int
    artifacts: Sequence[Artifact] = ()
    datasets: Sequence[Dataset] = ()

    @property
    def files(self) -> list[Artifact]:
        """The files that belong to no model."""
        paths = tuple(f"{model.path}/" for model in self.run.models if model.path)
        return [file for file in self.artifacts if not file.path.startswith(paths)]

    def files_of(self, model: LoggedModel) -> list[Artifact]:
        """The files of one model of the run."""
        return [file for file in self.artifacts if model.path and file.path.startswith(f"{model.path}/")]

    @property
    def data_digest(self) -> str:
        """Changes when anything but the models does."""
        run, files = asdict(self.run), [asdict(file) for file in self.files]
        del run["models"], run["datasets"]  # each is told by itself
        return digest([run, self.is_deleted, self.point_count, files, [asdict(data) for data in self.datasets]])

    @property
    def models_digest(self) -> str:
        """Changes when a model comes or goes."""
        return digest([[asdict(model), *map(asdict, self.files_of(model))] for model in self.run.models])

    @property
    def digest(self) -> str:
        """The mark of a parcel that was sent whole."""
        return self.data_digest + self.models_digest

    def is_sent(self, mark: Mark | None, *, models: bool) -> bool:
        """Whether the mirror has it as it is; without `models` those do not matter."""
        if mark is None:
            return False
        return mark.sent == self.digest if models else mark.sent[:_HALF] == self.data_digest


def digest(data: object) -> str:
    """32 hex digits that stand for plain data; NaN has its own like any number."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HALF]


def version_digest(version: ModelVersion) -> str:
    """Changes when a version does; its aliases have marks of their own."""
    return digest([version.source, version.run_id, version.stage, version.description, dict(version.tags)])


def version_key(version: ModelVersion) -> str:
    """Under which key a version has its mark."""
    return f"{version.name}/{version.version}"


class Outbox(Protocol):
    """The runs of a store as parcels, and the marks of what mirrors have of them."""

    def sweep(self, sweep_id: str) -> Parcel:
        """A parent run, also a deleted one; `NotFound` where there is none."""
        ...

    def trials(self, sweep_id: str, first: int, limit: int) -> Sequence[Parcel]:
        """At most so many trials from that number on, by number, also deleted ones."""
        ...

    def again(self, trial_ids: Sequence[str]) -> Sequence[Parcel]:
        """The runs below these trials, in which they were run again with other seeds; also deleted ones."""
        ...

    def points(self, run_id: str) -> Iterator[Sequence[Point]]:
        """All points of a run, some thousands at a time; no transaction stays open in between."""
        ...

    def marks(self, mirror: str, kind: str, keys: Sequence[str]) -> Mapping[str, Mark]:
        """The marks there are, by key."""
        ...

    def note(self, mirror: str, marks: Sequence[Mark]) -> None:
        """Sets marks, in one transaction."""
        ...
