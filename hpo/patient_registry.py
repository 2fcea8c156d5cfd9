"""A registry that does not give up at once: it waits for a store in trouble, as a driver's tracker does."""

from collections.abc import Mapping, Sequence

from hpo.repeating import Patience, Repeating
from trackers.records import ModelVersion, NewVersion, RegistryEvent
from trackers.registry import Registry


class PatientRegistry:
    """Another registry, with patience: what it is asked is repeated while the store is busy, full or out of reach.

    A commit may have been done though its answer was lost. To register again gives the version there is, unless an
    alias was expected elsewhere: it points to that version by now, which is `AliasMoved`, and whoever expected it has
    to look again. To set an alias or a stage again changes nothing; what takes an
    alias away or back, and a note, are not repeated.
    """

    def __init__(self, registry: Registry, patience: Patience) -> None:
        self._registry = registry
        self._patiently = Repeating(patience)

    def register(self, version: NewVersion) -> ModelVersion:
        """See `Registry`."""
        return self._patiently(lambda: self._registry.register(version))

    def versions(self, name: str | None = None) -> Sequence[ModelVersion]:
        """See `Registry`."""
        return self._patiently(lambda: self._registry.versions(name))

    def get(self, name: str, version: int | str) -> ModelVersion:
        """See `Registry`."""
        return self._patiently(lambda: self._registry.get(name, version))

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
        """See `Registry`."""

        def act() -> int | None:
            return self._registry.set_alias(name, alias, version, who=who, why=why, rollback_from=rollback_from)

        return act() if version is None or rollback_from is not None else self._patiently(act)

    def set_stage(
        self, name: str, version: int, stage: str, *, who: str, why: str = "", archive_existing: bool = True
    ) -> None:
        """See `Registry`."""
        self._patiently(
            lambda: self._registry.set_stage(name, version, stage, who=who, why=why, archive_existing=archive_existing)
        )

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
        """See `Registry`. Not repeated: each time is a line of history."""
        self._registry.annotate(
            name, version, who=who, why=why, description=description, tags=tags, removed_tags=removed_tags
        )

    def history(self, name: str) -> Sequence[RegistryEvent]:
        """See `Registry`."""
        return self._patiently(lambda: self._registry.history(name))


_: type[Registry] = PatientRegistry
