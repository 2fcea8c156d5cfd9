"""What is worth another try, and what is for a person."""

import pytest

from hpo.errors import ClusterUnavailable, ConfigError, NothingFound, ObjectiveError, SweepOwned, TooManyFailures
from hpo.flows.passing import is_passing
from hpo.flows.steps import NotRegistered, SweepStopped
from trackers.errors import NotAStore, NotPermitted, StoreBusy, StoreFull, StoreUnavailable, Superseded


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("away"),
        StoreBusy("busy"),
        StoreFull("full", "/"),
        SweepOwned("mine"),
        ClusterUnavailable("no host"),
        ConnectionResetError("reset"),
        TimeoutError("late"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_away_may_come_back(error: Exception) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("wrong"),
        ObjectiveError("no module"),
        TooManyFailures("ten"),
        NothingFound("none"),
        NotRegistered("gate"),
        SweepStopped("stop"),
        Superseded("taken over"),
        NotAStore("a picture"),
        NotPermitted("no"),
        FileNotFoundError("data.csv"),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_for_a_person_is_not_tried_again(error: BaseException) -> None:
    assert not is_passing(error)
