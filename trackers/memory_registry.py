"""A registry in memory: the reference for what every registry does, and the fake of other tests."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trackers import registry_rules as rules
from trackers.records import Artifact, Fence, ModelVersion, NewVersion, RegistryEvent
from trackers.registry import Registry
from trackers.registry_log import ALIAS, ROLLBACK


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class _Model:
    """One registered model; a version's number is its place in the list."""

    versions: list[ModelVersion] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    events: list[RegistryEvent] = field(default_factory=list)


class MemoryRegistry:
    """Named models with versions and aliases, gone with the process."""

    def __init__(
        self,
        clock: Callable[[], int] = _now,
        manifest: Callable[[str], Sequence[Artifact]] | None = None,
        check_fence: Callable[[Fence], object] | None = None,
    ) -> None:
        self._check_fence = check_fence
        self._clock = clock
        self._manifest = manifest
        self._models: dict[str, _Model] = {}
        self._keys: dict[str, tuple[str, int]] = {}
        self._lock = threading.RLock()

    def register(self, version: NewVersion) -> ModelVersion:
        """See `Registry`."""
        rules.check_version(version)
        with self._lock:
            if version.fence and self._check_fence:
                self._check_fence(version.fence)
            held = self._models.get(version.name)
            rules.check_expected(version, held.aliases if held else {})
            known = self._keys.get(rules.stored_key(version.key))
            if known:
                return self._registered(version, *known)
            if self._manifest and version.files and version.run_id:
                rules.check_files(version, self._manifest(version.run_id))
            model = self._models.setdefault(version.name, _Model())
            number = len(model.versions) + 1
            model.versions.append(
                ModelVersion(
                    name=version.name,
                    version=number,
                    source=version.source,
                    run_id=version.run_id,
                    stage="None",
                    aliases=(),
                    description=version.description,
                    tags=dict(version.tags),
                    created=self._clock(),
                    model_id=version.model_id,
                    user=version.who,
                )
            )
            self._keys[rules.stored_key(version.key)] = (version.name, number)
            self._note(version.name, number, "register", "", "", str(number), version.who, version.why)
            self._point(version, number)
            return self.get(version.name, number)

    def versions(self, name: str | None = None) -> Sequence[ModelVersion]:
        """See `Registry`."""
        with self._lock:
            names = sorted(self._models) if name is None else [name]
            return [self._read(one, version) for one in names for version in self._model(one).versions]

    def get(self, name: str, version: int | str) -> ModelVersion:
        """See `Registry`."""
        with self._lock:
            model = self._model(name)
            number = rules.number_of(version, len(model.versions), model.aliases)
            return self._read(name, self._version(name, number, asked=version))

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
        rules.check_who(who)
        with self._lock:
            aliases = self._model(name).aliases
            before = aliases.get(alias)
            if rollback_from is not None:
                rules.check_rollback(name, alias, before or 0, rollback_from)
            if version is None:
                if before is None:
                    raise self._no_version(name, alias)
                del aliases[alias]
            else:
                rules.check_alias(alias)
                aliases[alias] = self._version(name, version).version
            if before != version:
                action = ALIAS if rollback_from is None else ROLLBACK
                self._note(name, version or before or 0, action, alias, str(before or ""), str(version or ""), who, why)
            return before

    def set_stage(
        self, name: str, version: int, stage: str, *, who: str, why: str = "", archive_existing: bool = True
    ) -> None:
        """See `Registry`."""
        rules.check_stage(stage)
        rules.check_who(who)
        with self._lock:
            self._version(name, version)
            others = [
                other for other in self._model(name).versions if other.version != version and other.stage == stage
            ]
            if archive_existing and stage in rules.ACTIVE_STAGES:
                for other in others:
                    self._move(name, other.version, "Archived", who, why)
            self._move(name, version, stage, who, why)

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
        """See `Registry`."""
        rules.check_note(description, tags)
        rules.check_who(who)
        with self._lock:
            old = self._version(name, version)
            text = old.description if description is None else description
            removed = [key for key in removed_tags if key in old.tags and key not in (tags or {})]
            kept = {key: value for key, value in old.tags.items() if key not in removed}
            self._replace(replace(old, description=text, tags={**kept, **(tags or {})}))
            if description is not None or tags or removed:
                self._note(name, version, "annotate", rules.noted(description, tags, removed), "", "", who, why)

    def history(self, name: str) -> Sequence[RegistryEvent]:
        """See `Registry`."""
        with self._lock:
            return list(self._model(name).events)

    def _registered(self, version: NewVersion, name: str, number: int) -> ModelVersion:
        if name != version.name:
            raise rules.key_is_taken(version, name, number)
        if version.expected or version.fence:
            self._point(version, number)
        return self.get(name, number)

    def _point(self, version: NewVersion, number: int) -> None:
        for alias in version.aliases:
            self.set_alias(version.name, alias, number, who=version.who, why=version.why)
        if version.stage is not None:
            self.set_stage(version.name, number, version.stage, who=version.who, why=version.why)

    def _model(self, name: str) -> _Model:
        if name not in self._models:
            raise rules.no_model(name, self._models)
        return self._models[name]

    def _version(self, name: str, number: int | None, asked: int | str | None = None) -> ModelVersion:
        versions = self._model(name).versions
        if number is None or not 1 <= number <= len(versions):
            raise self._no_version(name, number if asked is None else asked)
        return versions[number - 1]

    def _no_version(self, name: str, asked: int | str | None) -> Exception:
        model = self._model(name)
        return rules.no_version(name, asked, [version.version for version in model.versions], model.aliases)

    def _read(self, name: str, version: ModelVersion) -> ModelVersion:
        aliases = self._models[name].aliases
        return replace(version, aliases=sorted(alias for alias, number in aliases.items() if number == version.version))

    def _move(self, name: str, number: int, stage: str, who: str, why: str) -> None:
        old = self._version(name, number)
        if old.stage != stage:
            self._replace(replace(old, stage=stage))
            self._note(name, number, "stage", stage, old.stage, stage, who, why)

    def _replace(self, version: ModelVersion) -> None:
        self._models[version.name].versions[version.version - 1] = version

    def _note(
        self, name: str, number: int, action: str, what: str, before: str, after: str, who: str, why: str
    ) -> None:
        event = RegistryEvent(self._clock(), who, action, name, number, what, before, after, why)
        self._models[name].events.append(event)


_: type[Registry] = MemoryRegistry
