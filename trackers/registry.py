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

    def set_alias(self, name: str, alias: str, version: int | None, *, who: str, why: str = "") -> None:
        """Points an alias at a version; None takes the alias away."""
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
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Replaces the description, adds tags."""
        ...

    def history(self, name: str) -> Sequence[RegistryEvent]:
        """All changes of one model, oldest first."""
        ...
