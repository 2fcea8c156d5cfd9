"""The Registry protocol: what a model registry promises."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from trackers.records import ModelVersion, NewVersion, RegistryEvent


class Registry(Protocol):
    """Named models with versions 1, 2, 3, ..; every change is one transaction and one line of history."""

    def register(self, version: NewVersion) -> ModelVersion:
        """The version registered under this key, made with the next number if the key is new.

        `AliasMoved` where an alias does not point where `version.expected` says; then nothing was changed.
        """
        ...

    def versions(self, name: str | None = None) -> Sequence[ModelVersion]:
        """All versions of a model, or of all models, by name and number; `NotFound` for an unknown name."""
        ...

    def get(self, name: str, version: int | str) -> ModelVersion:
        """One version by number or by alias; `NotFound` where there is none, naming those there are."""
        ...

    def set_alias(
        self,
        name: str,
        alias: str,
        version: int | None,
        *,
        who: str,
        why: str = "",
        rollback_from: int | None = None,
    ) -> int | None:
        """Points an alias at a version, None takes the alias away; which version it pointed to before.

        `rollback_from` makes it a rollback in the history, from that version (0: from none): `AliasMoved` where the
        alias points elsewhere by now.
        """
        ...

    def set_stage(
        self, name: str, version: int, stage: str, *, who: str, why: str = "", archive_existing: bool = True
    ) -> None:
        """Moves a version to None, Staging, Production or Archived; the previous holder is archived by default."""
        ...

    def annotate(
        self,
        name: str,
        version: int,
        *,
        who: str,
        why: str = "",
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        removed_tags: Sequence[str] = (),
    ) -> None:
        """Replaces the description, adds tags, takes tags away."""
        ...

    def history(self, name: str) -> Sequence[RegistryEvent]:
        """All changes of one model, oldest first; also of one that was deleted since.

        What was changed by others' tools is in it once the model is changed through this protocol again; what it lacks
        until then says `registry_log.unnoted`.
        """
        ...
