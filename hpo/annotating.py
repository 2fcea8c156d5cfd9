"""Edits what people say of a version, a sweep or a trial: description, note, tags of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.errors import ConfigError
from trackers.records import ModelVersion, Run, RunUpdated
from trackers.registry import Registry
from trackers.tracker import Tracker

NOTE_TAG = "mlflow.note.content"
"""What MLflow's pages show as the description of a run."""

_RESERVED = ("hpo.", "mlflow.")


@dataclass(frozen=True)
class Annotation:
    """A text (None: as it is), tags to set, and keys of tags to take away.

    ConfigError for tags that are not for people: those of hpo say where a version or a run comes from, those of MLflow
    how runs belong together.
    """

    text: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    removed_tags: Sequence[str] = ()

    def __post_init__(self) -> None:
        for key in (*self.tags, *self.removed_tags):
            if key.startswith(_RESERVED):
                raise ConfigError(
                    f"the tag {key!r} is kept by {key.partition('.')[0]} and not to be changed by hand; choose a key "
                    "that does not begin with 'hpo.' or 'mlflow.'"
                )


def annotate_version(
    registry: Registry, name: str, asked: int | str, annotation: Annotation, *, who: str, why: str = ""
) -> ModelVersion:
    """The version of a model with the annotation; a line of the model's history."""
    version = registry.get(name, asked)
    registry.annotate(
        name,
        version.version,
        who=who,
        why=why,
        description=annotation.text,
        tags=annotation.tags,
        removed_tags=annotation.removed_tags,
    )
    return registry.get(name, version.version)


def annotate_run(tracker: Tracker, run: Run, annotation: Annotation) -> Run:
    """The sweep or trial with the annotation; the text stands where MLflow's pages have a run's description."""
    note = {} if annotation.text is None else {NOTE_TAG: annotation.text}
    change = RunUpdated(run.id, tags={**annotation.tags, **note}, removed_tags=annotation.removed_tags)
    tracker.record([change])
    return tracker.get(run.id)
