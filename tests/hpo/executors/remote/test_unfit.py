"""What is said of hosts that were turned away: nothing before others are there, then each reason once."""

import pytest

from hpo.errors import ConfigError, ObjectiveError
from hpo.executors.remote.unfit import SHOWN, Unfit
from hpo.executors.remote.versions import OtherVersions


def test_reasons_are_warnings_once_each_from_when_others_are_there(caplog: pytest.LogCaptureFixture) -> None:
    unfit = Unfit()
    unfit.add("no such Python")
    assert caplog.messages == []

    unfit.say()
    unfit.say()
    unfit.add("no such Python")
    unfit.add("no module", is_broken=True)

    assert caplog.messages == [f"a host of the cluster is not used: {why}" for why in ("no such Python", "no module")]


def test_time_counts_from_the_first_that_was_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("hpo.executors.remote.unfit.time.monotonic", lambda: now[0])
    unfit = Unfit()
    assert (bool(unfit), unfit.seconds) == (False, 0.0)
    unfit.add("no such Python")
    now[0] += 5
    unfit.add("no module")
    now[0] += 2

    assert unfit.seconds == 7


def test_the_first_reason_says_whether_the_objective_is_broken() -> None:
    host, objective = Unfit(), Unfit()
    host.add("no such Python")
    host.add("no module", is_broken=True)
    objective.add("no module", is_broken=True)
    objective.add("no such Python")

    assert (type(host.error), type(objective.error)) == (ConfigError, ObjectiveError)


def test_few_of_many_reasons_are_shown() -> None:
    unfit = Unfit()
    for number in range(SHOWN + 1):
        unfit.add(f"host {number} is old")

    assert str(unfit) == "\n".join(f"host {number} is old" for number in range(SHOWN))


def test_each_way_in_which_versions_differ_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    others = OtherVersions()
    for host, found in (("a", "numpy 1 (here 2)"), ("b", "numpy 1 (here 2)"), ("c", ""), ("d", "torch 1 (here 2)")):
        others.say(host, found)

    assert [message.partition(",")[0] for message in caplog.messages] == ["host a", "host d"]
