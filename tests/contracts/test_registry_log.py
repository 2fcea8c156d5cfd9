"""What every registry promises of rollbacks and annotations, and how its history tells of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trackers.errors import AliasMoved, NotFound
from trackers.opening import open_store
from trackers.records import NewVersion
from trackers.registry import Registry
from trackers.registry_log import Stop, held_at, stops, unnoted

STORES = {"memory": "memory://", "sqlite": "sqlite:///{folder}/mlflow.db", "postgres": ""}


@pytest.fixture(params=STORES)
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    uri = STORES[request.param].format(folder=tmp_path) or request.getfixturevalue("postgres_uri")
    with open_store(uri) as store:
        for number in (1, 2, 3):
            store.registry.register(NewVersion("clf", f"/models/{number}", None, f"k{number}", who="ada"))
        yield store.registry


def point(registry: Registry, *versions: int | None) -> None:
    for version in versions:
        registry.set_alias("clf", "champion", version, who="ada")


def roll_back(registry: Registry) -> int:
    """As the command does: to the nearest stop of the history."""
    here, there, *_ = stops(registry.history("clf"), "champion")
    registry.set_alias("clf", "champion", there.version, who="bob", rollback_from=here.version)
    return registry.get("clf", "champion").version


def versions(registry: Registry) -> list[int]:
    return [stop.version for stop in stops(registry.history("clf"), "champion")]


def test_an_alias_says_where_it_pointed_before(registry: Registry) -> None:
    moves = [registry.set_alias("clf", "champion", version, who="ada") for version in (1, 2, 2, None)]
    assert moves == [None, 1, 2, 2]


def test_a_rollback_is_a_line_of_its_own(registry: Registry) -> None:
    point(registry, 1, 2)
    registry.set_alias("clf", "champion", 1, who="bob", why="2 is slow", rollback_from=2)
    event = registry.history("clf")[-1]
    assert (event.who, event.action, event.version, event.what) == ("bob", "rollback", 1, "champion")
    assert (event.before, event.after, event.why) == ("2", "1", "2 is slow")


def test_rollbacks_lead_further_back_and_never_forth(registry: Registry) -> None:
    point(registry, 1, 2, 3)
    assert versions(registry) == [3, 2, 1]
    assert [roll_back(registry), roll_back(registry)] == [2, 1]
    assert versions(registry) == [1]


def test_a_move_after_a_rollback_is_what_the_next_rollback_takes_back(registry: Registry) -> None:
    point(registry, 1, 2)
    assert roll_back(registry) == 1
    point(registry, 3)
    assert versions(registry) == [3, 1]
    point(registry, 1)
    assert versions(registry) == [1, 3, 1]


def test_an_alias_that_was_taken_away_is_rolled_back_to_where_it_was(registry: Registry) -> None:
    point(registry, 1, 2, None)
    assert versions(registry) == [0, 2, 1]
    assert roll_back(registry) == 2
    assert versions(registry) == [2, 1]


def test_a_rollback_of_an_alias_that_moved_meanwhile_is_refused(registry: Registry) -> None:
    point(registry, 1, 2, 3)
    before = list(registry.history("clf"))
    with pytest.raises(AliasMoved, match="moved to version 3 meanwhile"):
        registry.set_alias("clf", "champion", 1, who="bob", rollback_from=2)
    with pytest.raises(AliasMoved, match="moved to no version"):
        registry.set_alias("clf", "spare", 1, who="bob", rollback_from=2)
    assert list(registry.history("clf")) == before


def test_a_rollback_to_a_version_that_is_not_there_is_refused(registry: Registry) -> None:
    point(registry, 1)
    with pytest.raises(NotFound, match="versions 1, 2, 3"):
        registry.set_alias("clf", "champion", 9, who="bob", rollback_from=1)


def test_annotations_bear_a_reason_and_tags_can_be_taken_away(registry: Registry) -> None:
    registry.annotate("clf", 1, who="ada", tags={"a": "1", "b": "2", "c": "3"})
    registry.annotate("clf", 1, who="eve", why="wrong team", tags={"b": "4"}, removed_tags=["a", "b", "none"])
    assert dict(registry.get("clf", 1).tags) == {"b": "4", "c": "3"}
    event = registry.history("clf")[-1]
    assert (event.action, event.what, event.who, event.why) == ("annotate", "tag b, no tag a", "eve", "wrong team")

    before = list(registry.history("clf"))
    registry.annotate("clf", 1, who="eve", removed_tags=["none"])
    assert list(registry.history("clf")) == before


def test_the_history_says_what_was_live(registry: Registry) -> None:
    registry.set_stage("clf", 1, "Production", who="ada")
    point(registry, 1, 2)
    events = registry.history("clf")
    held = held_at(events, events[-1].at + 1)
    assert [(item.kind, item.name, item.version) for item in held] == [
        ("alias", "champion", 2),
        ("stage", "Production", 1),
    ]
    assert held[0].since == events[-1]
    assert held_at(events, events[0].at) == []


def test_the_history_and_what_is_live_agree(registry: Registry) -> None:
    registry.set_stage("clf", 1, "Production", who="ada")
    registry.set_stage("clf", 2, "Production", who="ada")
    point(registry, 1, 2)
    roll_back(registry)
    assert unnoted(registry.history("clf"), registry.versions("clf"), name="clf", at=1, seen_by="x") == []


def test_a_stop_says_that_its_version_is_gone() -> None:
    from trackers.records import RegistryEvent

    def event(action: str, version: int, before: str = "", after: str = "") -> RegistryEvent:
        return RegistryEvent(1, "ada", action, "m", version, "champion", before, after, "")

    events = [
        event("register", 1, after="1"),
        event("register", 2, after="2"),
        event("alias", 1, "", "1"),
        event("alias", 2, "1", "2"),
        event("delete", 1, "1"),
        event("register", 1, after="1"),
    ]
    assert stops(events, "champion") == [Stop(2), Stop(1, is_gone=True)]
