"""The history of a registered model as people ask for it: all of it, or what was live on a day."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hpo.errors import ConfigError
from trackers.errors import NotFound
from trackers.records import ModelVersion, RegistryEvent
from trackers.registry import Registry
from trackers.registry_log import ALIAS, ROLLBACK, STAGE, Held, held_at, unnoted

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Asked:
    """The time somebody asks about, of a day its end: milliseconds since 1970, UTC, `end` just after it."""

    text: str
    start: int
    end: int
    is_day: bool

    @classmethod
    def parse(cls, text: str) -> "Asked":
        """From `2026-05-01`, `2026-05-01T12:00Z`, `2026-05-01T14:00+02:00`; without a zone UTC is meant."""
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise ConfigError(
                f"a day is written 2026-05-01 and a time 2026-05-01T12:00Z (without a zone: UTC), got {text!r}: {error}"
            ) from error
        is_day = _DAY.fullmatch(text.strip()) is not None
        start = _milliseconds(found if found.tzinfo else found.replace(tzinfo=UTC))
        return cls(text.strip(), start, start + (_milliseconds_of(timedelta(days=1)) if is_day else 1), is_day)


@dataclass(frozen=True)
class History:
    """What is on record of a model, oldest first, and after it what is live and not on record yet."""

    events: Sequence[RegistryEvent]
    unnoted: Sequence[RegistryEvent]

    @classmethod
    def read(cls, registry: Registry, name: str, *, now: int, seen_by: str) -> "History":
        """NotFound for a model that neither is nor was."""
        events, live = registry.history(name), _live(registry, name)
        while (again := registry.history(name)) != events:  # a move in between would look like one that was not noted
            events, live = again, _live(registry, name)
        return cls(events, unnoted(events, live, name=name, at=now, seen_by=seen_by))

    @property
    def all(self) -> Sequence[RegistryEvent]:
        """Both."""
        return [*self.events, *self.unnoted]


@dataclass(frozen=True)
class Place:
    """An alias or a stage: who held it (None: nobody any more), and what changed it on the day asked about."""

    kind: str
    name: str
    held: Held | None
    changes: Sequence[RegistryEvent]


def places(events: Sequence[RegistryEvent], asked: Asked) -> list[Place]:
    """Every alias and every stage that some version had at the end of the time asked about, or lost during that day."""
    held = held_at(events, asked.end)
    today = [event for event in events if asked.is_day and asked.start <= event.at < asked.end]
    found = [Place(item.kind, item.name, item, _changes(today, item.kind, item.name)) for item in held]
    lost = {(ALIAS, event.what) for event in today if event.action in (ALIAS, ROLLBACK)}
    lost |= {(STAGE, name) for event in today if event.action == STAGE for name in (event.before, event.after)}
    lost -= {(item.kind, item.name) for item in held} | {(STAGE, "None")}
    return found + [Place(kind, name, None, _changes(today, kind, name)) for kind, name in sorted(lost)]


def selected(
    events: Sequence[RegistryEvent], *, alias: str | None = None, stage: str | None = None, version: int | None = None
) -> list[RegistryEvent]:
    """The events of one alias, one stage, or one version, as far as these are given."""
    wanted = list(events)
    if alias is not None:
        wanted = _changes(wanted, ALIAS, alias)
    if stage is not None:
        wanted = _changes(wanted, STAGE, stage)
    return [event for event in wanted if version is None or _is_about(event, version)]


def _changes(events: Sequence[RegistryEvent], kind: str, name: str) -> list[RegistryEvent]:
    if kind == ALIAS:
        return [event for event in events if event.action in (ALIAS, ROLLBACK) and event.what == name]
    return [event for event in events if event.action == STAGE and name in (event.before, event.after)]


def _is_about(event: RegistryEvent, version: int) -> bool:
    return event.version == version or (event.action in (ALIAS, ROLLBACK) and event.before == str(version))


def _live(registry: Registry, name: str) -> Sequence[ModelVersion]:
    try:
        return registry.versions(name)
    except NotFound:  # deleted, or renamed, through MLflow: what was live when is still on record
        return ()


def _milliseconds(moment: datetime) -> int:
    return _milliseconds_of(moment - datetime(1970, 1, 1, tzinfo=UTC))


def _milliseconds_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
