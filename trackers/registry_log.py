"""What the history of a registered model says: what was live when, where a rollback leads, and what it has missed.

Others change models through MLflow, which writes no history. What they did is seen by comparing the history with what
stands in the registry, and noted by whoever sees it first, so that the last line never contradicts what is live.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from trackers.records import ModelVersion, RegistryEvent

REGISTER, ALIAS, ROLLBACK, STAGE, ANNOTATE, DELETE = "register", "alias", "rollback", "stage", "annotate", "delete"
"""The actions in a history; `delete` is only ever seen, for versions are deleted through MLflow alone."""

NO_STAGE = "None"
_WHO = 256


@dataclass(frozen=True)
class Held:
    """An alias or a stage (`kind`) of that name, the version that had it, and the event that gave it to it."""

    kind: str
    name: str
    version: int
    since: RegistryEvent


@dataclass(frozen=True)
class Stop:
    """A version that an alias pointed to; `is_gone` where that version was deleted since."""

    version: int
    is_gone: bool = False


@dataclass
class _Known:
    """What a history says, up to one of its events."""

    registered: dict[int, RegistryEvent] = field(default_factory=dict)
    stages: dict[int, RegistryEvent] = field(default_factory=dict)
    aliases: dict[str, RegistryEvent] = field(default_factory=dict)

    def take(self, event: RegistryEvent) -> None:
        """The next event."""
        if event.action == REGISTER:
            self.registered[event.version] = event
        elif event.action == DELETE:
            self.registered.pop(event.version, None)
            self.stages.pop(event.version, None)
        elif event.action == STAGE:
            self.stages[event.version] = event
        elif event.action in (ALIAS, ROLLBACK):
            self.aliases[event.what] = event

    def stage(self, version: int) -> str:
        return self.stages[version].after if version in self.stages else NO_STAGE

    def pointed(self) -> Mapping[str, int]:
        return {alias: int(event.after) for alias, event in self.aliases.items() if event.after}


def held_at(events: Iterable[RegistryEvent], before: int) -> list[Held]:
    """Which version each alias and each stage had just before a time (milliseconds since 1970, UTC)."""
    known = _known(event for event in events if event.at < before)
    aliases = [Held(ALIAS, alias, int(event.after), event) for alias, event in known.aliases.items() if event.after]
    stages = [
        Held(STAGE, event.after, version, event) for version, event in known.stages.items() if event.after != NO_STAGE
    ]
    return [
        *sorted(aliases, key=lambda held: held.name),
        *sorted(stages, key=lambda held: (held.name != "Production", held.name, held.version)),
    ]


def stops(events: Iterable[RegistryEvent], alias: str) -> list[Stop]:
    """Where an alias can be rolled back to, nearest first, after where it points now (0: to nothing).

    Every move leads one stop further. A rollback takes back the moves up to the one it leads to, so that the next
    rollback leads further back, and never forth again.
    """
    trail = [Stop(0)]
    for event in events:
        if event.action == DELETE:
            trail = [replace(stop, is_gone=True) if stop.version == event.version else stop for stop in trail]
        elif event.action in (ALIAS, ROLLBACK) and event.what == alias:
            stop = Stop(int(event.after or 0))
            while event.action == ROLLBACK and len(trail) > 1 and trail[-1] != stop:
                trail.pop()
            if trail[-1] != stop:
                trail.append(stop)
    return [stop for place, stop in enumerate(reversed(trail)) if place == 0 or stop.version]


def unnoted(
    events: Sequence[RegistryEvent], live: Sequence[ModelVersion], *, name: str, at: int, seen_by: str
) -> list[RegistryEvent]:
    """The events that are missing between a history and the versions there are; empty where the two agree.

    They bear the time at which they were seen. When they happened nobody knows, only that it was after the event
    before them; of a version MLflow knows when it was made.
    """
    last = events[-1].at if events else 0
    at = max(at, last, *(version.created for version in live), 0)
    who = _cut(f"unknown (seen by {seen_by})")
    why = "changed outside of hpo" + (f" after {_iso(last)}" if last else "")
    known = _known(events)
    there = {version.version: version for version in live}
    seen: list[RegistryEvent] = []

    def note(action: str, version: int, what: str = "", before: str = "", after: str = "", why: str = why) -> None:
        event = RegistryEvent(at, who, action, name, version, what, before, after, why)
        known.take(event)
        seen.append(event)

    gone = [number for number, event in known.registered.items() if not _is_same(there.get(number), event)]
    for alias, number in sorted(known.pointed().items()):
        if number in gone or number not in known.registered:
            note(ALIAS, number, alias, str(number))
    for number in sorted(gone):
        note(DELETE, number, before=str(number))
    for number, version in sorted(there.items()):
        if number not in known.registered:
            note(REGISTER, number, after=str(number), why=f"registered outside of hpo at {_iso(version.created)}")
        if known.stage(number) != version.stage:
            note(STAGE, number, version.stage, known.stage(number), version.stage)
    pointed = {alias: version.version for version in live for alias in version.aliases}
    for alias in sorted({*pointed, *known.pointed()}):
        before, after = known.pointed().get(alias), pointed.get(alias)
        if before != after:
            note(ALIAS, after or before or 0, alias, str(before or ""), str(after or ""))
    return seen


def _known(events: Iterable[RegistryEvent]) -> _Known:
    known = _Known()
    for event in events:
        known.take(event)
    return known


def _is_same(version: ModelVersion | None, registered: RegistryEvent) -> bool:
    """Whether that is the version that was registered then: a model can be deleted, and its name used again."""
    return version is not None and version.created <= registered.at


def _cut(who: str) -> str:
    return who if len(who) <= _WHO else who[: _WHO - 5] + " ...)"


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
