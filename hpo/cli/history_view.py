"""The history of a model as the objects that `-f json` prints, and as tables."""

from collections.abc import Sequence

from hpo.cli.formats import Table
from hpo.cli.text import iso_time, short_time
from hpo.model_history import Asked, Place
from trackers.records import RegistryEvent
from trackers.registry_log import ALIAS, ANNOTATE, DELETE, REGISTER, ROLLBACK, STAGE

EVENT_COLUMNS = ("at", "action", "version", "what", "from", "to", "who", "why")
LIVE_COLUMNS = ("kind", "name", "version", "since", "who", "why", "changed")


def event_object(event: RegistryEvent) -> dict[str, object]:
    """The documented fields of a change; `from` and `to` are versions, or stages."""
    of_versions = event.action != STAGE
    return {
        "at": iso_time(event.at),
        "who": event.who,
        "action": event.action,
        "name": event.name,
        "version": event.version,
        "alias": event.what if event.action in (ALIAS, ROLLBACK) else None,
        "stage": event.what if event.action == STAGE else None,
        "annotated": event.what if event.action == ANNOTATE else None,
        "from": _number(event.before) if of_versions else event.before,
        "to": _number(event.after) if of_versions else event.after,
        "why": event.why,
    }


def events_table(events: Sequence[RegistryEvent]) -> Table:
    """One row a change, oldest first."""
    return Table(EVENT_COLUMNS, [_event_row(event) for event in events])


def live_object(name: str, asked: Asked, now: int, found: Sequence[Place]) -> dict[str, object]:
    """What was live: `until` is the end of the day (or the moment) that was asked about, now where that is to come."""
    return {
        "name": name,
        "on": asked.text,
        "until": iso_time(min(asked.end if asked.is_day else asked.start, now)),
        "aliases": [_place_object(place, "alias") for place in found if place.kind == ALIAS],
        "stages": [_place_object(place, "stage") for place in found if place.kind == STAGE],
    }


def live_table(found: Sequence[Place]) -> Table:
    """One row for each alias, and for each version in a stage."""
    return Table(LIVE_COLUMNS, [_place_row(place) for place in found])


def _place_object(place: Place, key: str) -> dict[str, object]:
    held = place.held
    return {
        key: place.name,
        "version": held.version if held else None,
        "since": iso_time(held.since.at) if held else None,
        "who": held.since.who if held else None,
        "why": held.since.why if held else None,
        "changed": [event_object(event) for event in place.changes],
    }


def _place_row(place: Place) -> dict[str, object]:
    held = place.held
    return {
        "kind": place.kind,
        "name": place.name,
        "version": held.version if held else None,
        "since": short_time(held.since.at) if held else None,
        "who": held.since.who if held else None,
        "why": (held.since.why or None) if held else None,
        "changed": "; ".join(_change_text(event) for event in place.changes) or None,
    }


def _event_row(event: RegistryEvent) -> dict[str, object]:
    is_registration = event.action in (REGISTER, DELETE)
    return {
        "at": short_time(event.at),
        "action": event.action,
        "version": event.version,
        "what": event.what or None,
        "from": None if is_registration else event.before or None,
        "to": None if is_registration else event.after or None,
        "who": event.who or None,
        "why": event.why or None,
    }


def _change_text(event: RegistryEvent) -> str:
    text = f"{(iso_time(event.at) or '')[11:16]}Z"
    if event.action == STAGE:
        return f"{text} version {event.version} {event.before} -> {event.after}"
    return f"{text} {event.before or 'none'} -> {event.after or 'none'}"


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
