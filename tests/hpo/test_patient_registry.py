"""A driver waits for a store in trouble also to register, and does so once."""

from typing import Any

import pytest

from hpo.patient_registry import PatientRegistry
from hpo.repeating import Patience
from trackers.errors import AliasMoved, StoreBusy, StoreUnavailable
from trackers.memory_registry import MemoryRegistry
from trackers.records import ModelVersion, NewVersion

VERSION = NewVersion("clf", "/m/1", "a" * 32, "clf:1", aliases=("champion",), who="ada")


class Troubled(MemoryRegistry):
    """Fails as told: the next calls of `register` before their work, or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[StoreUnavailable] = []
        self.after: list[StoreUnavailable] = []

    def register(self, version: NewVersion) -> ModelVersion:
        if self.before:
            raise self.before.pop(0)
        registered = super().register(version)
        if self.after:
            raise self.after.pop(0)
        return registered


@pytest.fixture
def registry() -> Troubled:
    return Troubled()


def patient(registry: Troubled, retry_for: float = 300.0) -> PatientRegistry:
    now = [100.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    return PatientRegistry(registry, Patience(retry_for, clock=lambda: now[0], pause=pause))


def found(registry: Troubled) -> list[tuple[int, Any]]:
    return [(version.version, tuple(version.aliases)) for version in registry.versions()]


def test_a_busy_store_is_waited_for(registry: Troubled) -> None:
    registry.before = [StoreBusy("busy", 4711) for _ in range(9)]
    assert patient(registry).register(VERSION).version == 1


def test_when_patience_ends_the_cause_is_raised(registry: Troubled) -> None:
    registry.before = [StoreBusy("busy", 4711) for _ in range(99)]
    with pytest.raises(StoreBusy):
        patient(registry, 1.0).register(VERSION)
    assert found(registry) == []


def test_a_version_whose_answer_was_lost_is_made_once(registry: Troubled) -> None:
    registry.after = [StoreUnavailable("cut"), StoreUnavailable("cut")]
    assert patient(registry).register(VERSION).version == 1
    assert found(registry) == [(1, ("champion",))]
    assert [event.action for event in registry.history("clf")] == ["register", "alias"]


def test_who_expected_the_alias_elsewhere_has_to_look_again(registry: Troubled) -> None:
    registry.after = [StoreUnavailable("cut")]
    with pytest.raises(AliasMoved):
        patient(registry).register(NewVersion(**{**vars(VERSION), "expected": {"champion": None}}))
    assert found(registry) == [(1, ("champion",))]


def test_what_leads_back_is_not_repeated(registry: Troubled) -> None:
    class Cut(MemoryRegistry):
        calls = 0

        def set_alias(self, *_: Any, **__: Any) -> int | None:
            self.calls += 1
            raise StoreUnavailable("cut")

    cut = Cut()
    with pytest.raises(StoreUnavailable):
        PatientRegistry(cut, Patience(300.0)).set_alias("clf", "champion", 1, who="ada", rollback_from=2)
    assert cut.calls == 1
