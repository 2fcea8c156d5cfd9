"""Which trials run once more."""

import pytest

from hpo.losses import Losses
from hpo.trial import Outcome, State


def lost(number: int, reason: str) -> Outcome:
    return Outcome(number, 1, State.FAILED, reason=reason)


@pytest.mark.parametrize(
    ("reason", "times"),
    [("lost", 3), ("signal:9", 1), ("signal:11", 0), ("oom", 0), ("timeout", 0), ("exception", 0), ("", 0)],
)
def test_a_trial_runs_again_as_often_as_its_reason_allows(reason: str, times: int) -> None:
    losses = Losses()

    assert [losses.runs_again(lost(4, reason)) for _ in range(5)] == [True] * times + [False] * (5 - times)


def test_each_trial_is_counted_for_itself() -> None:
    losses = Losses()

    assert losses.runs_again(lost(1, "signal:9"))
    assert losses.runs_again(lost(2, "signal:9"))
    assert not losses.runs_again(lost(1, "signal:9"))
