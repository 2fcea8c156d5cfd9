"""Deleting, erasing and moving aliases: killed at any step, and by several at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from trackers.opening import Store, open_store
from trackers.records import NewVersion, Query, RegistryEvent

KILLED = 137
TRIALS = 3
RUNS = TRIALS + 1


@pytest.fixture
def searched(sweep_folder, zygote):
    """A folder whose sweep is done, each trial with a model."""
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"},
        tracker={"log_models": "all"},
        budget={"n_trials": TRIALS},
    )
    done = zygote.hpo(sweep_folder.path, "run", "sweep.yaml")
    assert done.code == 0, done.stderr
    return sweep_folder


@pytest.fixture
def hpo(searched, zygote) -> Callable[..., object]:
    """`hpo(verb, .., HPO_FAILPOINT=..)` in that folder."""
    return lambda *arguments, **environment: zygote.hpo(searched.path, *arguments, environment=environment)


def stages(folder) -> dict[str, int]:
    with open_store(folder.uri, read_only=True) as store:
        return {
            "active": len(store.tracker.find(Query())),
            "deleted": len(store.tracker.find(Query(deleted=True))),
        }


def files(folder) -> list[Path]:
    return [path for path in (folder.path / "mlruns").rglob("*") if path.is_file()]


@pytest.mark.everyday(count=2)
@pytest.mark.parametrize(("place", "is_done"), [("delete.before_record", False), ("store.before_commit", False),
                                                ("store.after_commit", True), ("delete.recorded", True)])  # fmt: skip
def test_a_killed_deletion_is_done_whole_or_not_at_all(place, is_done, searched, hpo) -> None:
    killed = hpo("delete", "faults", "--yes", HPO_FAILPOINT=f"{place}:kill9:1")
    assert killed.code == KILLED, killed.stderr
    assert stages(searched) == ({"active": 0, "deleted": RUNS} if is_done else {"active": RUNS, "deleted": 0})
    again = hpo("restore" if is_done else "delete", "faults", *([] if is_done else ["--yes"]))
    assert again.code == 0, again.stderr
    assert searched.integrity() == "ok"


STEPS = ["erase.begun:1", "erase.marked:1", "erase.files_gone:1", "erase.files_gone:3", "store.before_commit:3",
         "erase.rows_gone:1"]  # fmt: skip


@pytest.mark.everyday(count=2)
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_removal_is_done_again_and_leaves_nothing_half(step, searched, hpo) -> None:
    assert hpo("delete", "faults", "--yes").code == 0
    before = files(searched)
    place, nth = step.split(":")
    killed = hpo("gc", "--yes", "--older-than", "0s", HPO_FAILPOINT=f"{place}:kill9:{nth}")
    assert killed.code == KILLED, killed.stderr
    restored = hpo("restore", "faults")
    if place == "erase.begun":
        assert (restored.code, files(searched)) == (0, before)
        assert hpo("delete", "faults", "--yes").code == 0
    else:  # what has lost files, or may have, does not come back
        assert restored.code == 1
        assert stages(searched)["active"] == 0
    again = hpo("gc", "--yes", "--older-than", "0s")
    assert again.code == 0, again.stderr
    assert stages(searched) == {"active": 0, "deleted": 0}
    assert files(searched) == []
    assert searched.integrity() == "ok"


@pytest.mark.slow
def test_a_sweep_file_starts_anew_after_a_deletion_and_after_a_removal(searched, hpo) -> None:
    for _ in range(2):
        assert hpo("delete", "faults", "--yes").code == 0
        done = hpo("run", "sweep.yaml")
        assert done.code == 0, done.stderr
        assert searched.states() == ["COMPLETE"] * TRIALS
        assert hpo("gc", "--yes", "--older-than", "0s").code == 0
    assert stages(searched) == {"active": RUNS, "deleted": 0}


def test_a_restored_sweep_goes_on(searched, hpo) -> None:
    values = [trial.value for trial in searched.trials()]
    assert hpo("delete", "faults", "--yes").code == 0
    assert hpo("restore", "faults").code == 0
    more = hpo("run", "sweep.yaml", "-n", str(TRIALS + 2))
    assert more.code == 0, more.stderr
    assert [trial.value for trial in searched.trials()][:TRIALS] == values
    assert searched.states() == ["COMPLETE"] * (TRIALS + 2)


COUNT = 8


@dataclass(frozen=True)
class Models:
    """A store with eight versions of `m`, of which the third is `champion`."""

    uri: str

    def open(self) -> Store:
        return open_store(self.uri, read_only=True)

    def environment(self, failpoint: str) -> dict[str, str]:
        return {"HPO_TRACKER": self.uri, "HPO_FAILPOINT": failpoint}


@pytest.fixture(params=["sqlite", "postgres"])
def models(request: pytest.FixtureRequest, sweep_folder) -> Models:
    uri = sweep_folder.uri if request.param == "sqlite" else request.getfixturevalue("postgres_uri")
    with open_store(uri) as store:
        for number in range(COUNT):
            store.registry.register(NewVersion("m", f"/models/{number}", None, f"k{number}", who="ada"))
        for version in (1, 2, 3):
            store.registry.set_alias("m", "champion", version, who="ada")
    return Models(uri)


def check(models: Models) -> list[RegistryEvent]:
    """The moves of the alias: each begins where the one before ended, and the last says what is live."""
    with models.open() as store:
        moves = [event for event in store.registry.history("m") if event.what == "champion"]
        assert store.registry.get("m", "champion").version == int(moves[-1].after)
    assert [event.before for event in moves] == ["", *(event.after for event in moves[:-1])]
    return moves


@pytest.mark.everyday(count=3)
@pytest.mark.parametrize("verb", ["promote", "rollback"])
@pytest.mark.parametrize(("place", "is_done"), [("alias.asked", False), ("alias.before_commit", False),
                                                ("alias.after_commit", True)])  # fmt: skip
def test_a_killed_move_is_live_and_in_the_history_or_neither(
    verb, place, is_done, sweep_folder, models, zygote
) -> None:
    arguments = ("promote", "m", "4", "champion") if verb == "promote" else ("rollback", "m", "champion")
    killed = zygote.hpo(sweep_folder.path, *arguments, environment=models.environment(f"{place}:kill9:1"))
    assert killed.code == KILLED, killed.stderr
    moves = check(models)
    assert moves[-1].after == ({"promote": "4", "rollback": "2"}[verb] if is_done else "3")


@pytest.mark.everyday(count=1)
def test_eight_promotions_at_once_leave_the_alias_where_the_last_line_says(
    sweep_folder, models, zygote, wait_for
) -> None:
    barrier = sweep_folder.path / "go"
    started = [
        zygote.start(
            sweep_folder.path, "promote", "m", str(version), "champion",
            environment=models.environment(f"alias.asked:wait:{barrier}:1"),
        )
        for version in range(1, COUNT + 1)
    ]  # fmt: skip
    wait_for(lambda: (sweep_folder.path / "go.reached").exists())
    barrier.touch()
    assert [one.wait() for one in started] == [0] * COUNT, [one.stderr for one in started]
    moves = check(models)
    assert {event.after for event in moves[3:]} | {"3"} == {str(version) for version in range(1, COUNT + 1)}


@pytest.mark.everyday(count=1)
def test_eight_rollbacks_at_once_never_go_forth(sweep_folder, models, zygote, wait_for) -> None:
    barrier = sweep_folder.path / "go"
    started = [
        zygote.start(
            sweep_folder.path, "rollback", "m", "champion", "-f", "json",
            environment=models.environment(f"alias.asked:wait:{barrier}:1"),
        )
        for _ in range(COUNT)
    ]  # fmt: skip
    wait_for(lambda: (sweep_folder.path / "go.reached").exists())
    barrier.touch()
    codes = [one.wait() for one in started]
    moves = check(models)[3:]
    assert [event.action for event in moves] == ["rollback"] * len(moves)
    assert [event.after for event in moves] in (["2"], ["2", "1"])
    assert codes.count(0) == len(moves)
    assert set(codes) <= {0, 1}
    done = [json.loads(one.stdout)["to"] for one, code in zip(started, codes, strict=True) if code == 0]
    assert sorted(done) == sorted(int(event.after) for event in moves)
