"""Gates and kills: whatever a driver had measured stays, nobody is judged or registered twice, nothing is left open.

A first sweep makes a champion. A second one, whose winner has to run again with other seeds, be judged on test data and
beat that champion, is killed at each place of its last step and continued by the same command. The ledger that the
objective and the judge write is the oracle of what really ran.
"""

import json
import shutil
import signal
from collections import Counter

import pytest

from trackers.opening import open_store
from trackers.records import Query, Run

KILLED = 137
GATED = """
import os
import pathlib
import time

from sklearn.dummy import DummyRegressor

HERE = pathlib.Path(__file__).parent


def ledger(*words):
    descriptor = os.open(HERE / "gates.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (" ".join(map(str, words)) + "\\n").encode())
    os.close(descriptor)


def objective(params, trial):
    ledger("run", params["x"], trial.seed)
    while (HERE / "hold").exists() and params["x"] == 0.2 and (HERE / "gates.txt").read_text().count("run 0.2") > 1:
        (HERE / "held").touch()
        time.sleep(0.005)
    ledger("ran", params["x"], trial.seed)
    trial.log_model(DummyRegressor(strategy="constant", constant=params["x"]).fit([[0.0]], [0.0]))
    return {"loss": params["x"] + trial.seed % 100 / 10_000}


def judge(model):
    score = float(model.predict([[0.0]])[0])
    ledger("judged", score)
    return {"loss": score}
"""
REGISTER = {"name": "m", "top": 2, "seeds": 2, "test": "gated:judge", "better_than": "champion", "stage": "Staging"}
PLACES = (
    "replicate.before_start:kill9:1",
    "replicate.after_start:kill9:1",
    "replicate.before_commit:kill9:1",
    "replicate.after_commit:kill9:1",
    "replicate.after_commit:kill9:4",
    "seeds.before_commit:kill9:1",
    "seeds.after_commit:kill9:2",
    "test.before_commit:kill9:1",
    "test.after_commit:kill9:3",
    "gates.judged:kill9:1",
    "gates.passed:kill9:1",
    "register.before_insert:kill9:1",
    "register.before_alias:kill9:1",
    "register.before_commit:kill9:1",
    "register.after_commit:kill9:1",
    "register.before_tag:kill9:1",
)
SOME_PLACES = PLACES[2:4] + PLACES[7:8] + PLACES[10:11] + PLACES[14:16]


class Case:
    """A folder with a champion on record, and a second sweep that wants its place."""

    def __init__(self, folder, zygote) -> None:
        self.folder = folder
        self._zygote = zygote
        (folder.path / "gated.py").write_text(GATED)
        self.write("first", [0.4])
        assert self.run().code == 0
        self.write("second", [0.3, 0.2, 0.5])

    def write(self, name: str, xs: list[float], **register: object) -> None:
        self.folder.write(
            name=name,
            objective={"python": "gated:objective"},
            engine={"name": "optuna", "sampler": "grid"},
            budget={"n_trials": len(xs)},
            tracker={"log_models": "best"},
            register={**REGISTER, **register},
        )
        text = json.loads(self.folder.file.read_text())
        text["parameters"] = {"x": xs}
        self.folder.file.write_text(json.dumps(text))

    def run(self, failpoint: str = "", *words: str):
        environment = {"HPO_FAILPOINT": failpoint} if failpoint else {}
        return self._zygote.hpo(self.folder.path, "run", "sweep.yaml", *words, environment=environment)

    def ledger(self, word: str) -> Counter[str]:
        lines = (self.folder.path / "gates.txt").read_text().splitlines()
        return Counter(line for line in lines if line.split()[0] == word)

    def check_whole(self) -> None:
        """Everything that was asked for, as if nothing had happened."""
        assert self.folder.integrity() == "ok"
        with open_store(self.folder.uri, read_only=True) as store:
            [parent] = store.tracker.find(Query(sweeps=True, name="second"))
            trials = store.tracker.find(Query(parent=parent.id))
            assert [run.trial.state for run in trials if run.trial] == ["COMPLETE"] * 3
            again = {run.trial.number: store.tracker.find(Query(parent=run.id)) for run in trials if run.trial}
            assert {number: len(runs) for number, runs in again.items()} == {0: 2, 1: 2, 2: 0}
            assert all(_state(run) == "COMPLETE" for runs in again.values() for run in runs)
            judged = {run.trial.number: run.metrics.get("test_loss") for run in trials if run.trial}
            assert judged == {0: 0.3, 1: 0.2, 2: None}

            versions = store.registry.versions("m")
            assert [(version.version, list(version.aliases)) for version in versions] == [(1, []), (2, ["champion"])]
            assert [version.stage for version in versions] == ["Archived", "Staging"]
            assert [event.version for event in store.registry.history("m") if event.action == "register"] == [1, 2]
            decision = json.loads(parent.tags["hpo.promotion"])
            assert [verdict["gate"] for verdict in decision["verdicts"]] == ["seeds", "test", "better_than"]
            assert decision["verdicts"][-1]["text"].startswith("test_loss 0.2 beats version 1 (0.4) by 0.2")
            assert decision["registered"] == parent.tags["hpo.registered"] == "m version 2"


def _state(run: Run) -> str:
    return str(run.trial.state) if run.trial else ""


@pytest.fixture
def case(sweep_folder, zygote) -> Case:
    return Case(sweep_folder, zygote)


@pytest.mark.parametrize("places", [SOME_PLACES, pytest.param(PLACES, marks=pytest.mark.slow)], ids=["some", "all"])
def test_the_last_step_killed_at_any_place_goes_on_where_it_was(places, new_folder, zygote) -> None:
    """F1, F25, G3, G9: what ended is not run again, what was judged is not judged again, one version is made."""
    golden = Case(new_folder("golden"), zygote)
    before = golden.folder.path.parent / "before"
    shutil.copytree(golden.folder.path, before)
    done = golden.run()
    assert done.code == 0, done.stderr
    golden.check_whole()
    ran, judged = golden.ledger("ran"), golden.ledger("judged")
    assert set(ran.values()) == {1}
    assert judged == {"judged 0.4": 2, "judged 0.3": 1, "judged 0.2": 1}  # 0.4 as a finalist, then as the champion
    for number, place in enumerate(places):
        folder = new_folder(f"case-{number}")
        shutil.copytree(before, folder.path, dirs_exist_ok=True)
        case = Case.__new__(Case)
        case.folder, case._zygote = folder, zygote
        killed = case.run(place)
        assert killed.code == KILLED, f"{place}: {killed.code} {killed.stdout} {killed.stderr}"
        again = case.run()
        assert again.code == 0, f"{place}: {again.stderr}"
        case.check_whole()
        once_more = {"replicate.before_commit": 1}.get(place.split(":")[0], 0)
        assert sum(case.ledger("ran").values()) == sum(ran.values()) + once_more, place
        judged_twice = 1 if place.startswith("test.before_commit") else 0
        assert sum(case.ledger("judged").values()) == sum(judged.values()) + judged_twice, place


@pytest.mark.slow
def test_a_last_step_killed_again_and_again_ends_with_one_version(case) -> None:
    """F1, F25: many kills in a row, each further on."""
    for place in ("replicate.after_start", "replicate.after_commit", "seeds.after_commit", "test.after_commit"):
        assert case.run(f"{place}:kill9:1").code == KILLED
    for place in ("gates.passed", "register.before_commit", "register.after_commit", "register.before_tag"):
        assert case.run(f"{place}:kill9:1").code == KILLED
    assert case.run().code == 0
    case.check_whole()


@pytest.mark.slow
def test_ctrl_c_during_re_runs_registers_nothing_and_leaves_nothing_running(case, zygote, wait_for) -> None:
    """F3, G11: exit 130; what was open is WAITING and the same command goes on."""
    (case.folder.path / "hold").touch()
    driver = zygote.start(case.folder.path, "run", "sweep.yaml")
    wait_for(lambda: (case.folder.path / "held").exists())
    driver.send(signal.SIGINT)
    wait_for(lambda: "once more to stop at once" in driver.stderr)
    driver.send(signal.SIGINT)
    assert driver.wait() == 130
    assert "go on with: hpo resume second" in driver.stderr
    with open_store(case.folder.uri, read_only=True) as store:
        assert len(store.registry.versions()) == 1
        again = [run for run in store.tracker.find(Query()) if "hpo.replicate" in run.tags]
        assert sorted({_state(run) for run in again}) in (["COMPLETE", "WAITING"], ["WAITING"])
        assert store.tracker.find(Query(where="status = 'RUNNING'")) == []
    (case.folder.path / "hold").unlink()
    assert case.run().code == 0
    case.check_whole()


def test_two_sweeps_that_challenge_the_same_champion_never_both_take_its_place(case, zygote, wait_for) -> None:
    """F15, F25: both stand behind one barrier, after they have compared themselves with version 1."""
    barrier = case.folder.path / "go"
    drivers = []
    for name, x in (("second", 0.2), ("third", 0.3)):
        case.write(name, [x], seeds=None)
        shutil.copy(case.folder.file, case.folder.path / f"{name}.yaml")
        environment = {"HPO_FAILPOINT": f"register.asked:wait:{barrier}-{name}:1"}
        drivers.append(zygote.start(case.folder.path, "run", f"{name}.yaml", "-q", environment=environment))
    wait_for(lambda: all((case.folder.path / f"go-{name}.reached").exists() for name in ("second", "third")))
    (case.folder.path / "go-second").touch()
    assert drivers[0].wait() == 0, drivers[0].stderr
    (case.folder.path / "go-third").touch()
    assert drivers[1].wait() == 0, drivers[1].stderr
    refused = "not registered: gate better_than: trial 0: test_loss 0.3 against 0.2 of version 2, 0.1 short of it"
    assert refused in drivers[1].stdout
    with open_store(case.folder.uri, read_only=True) as store:
        assert [list(version.aliases) for version in store.registry.versions()] == [[], ["champion"]]


def test_a_second_driver_at_the_last_step_is_refused(case, zygote, wait_for) -> None:
    """F15, G6: registering is work of the sweep's one driver, too."""
    barrier = case.folder.path / "go"
    first = zygote.start(
        case.folder.path, "run", "sweep.yaml", environment={"HPO_FAILPOINT": f"gates.judged:wait:{barrier}:1"}
    )
    wait_for(lambda: (case.folder.path / "go.reached").exists())
    second = case.run()
    assert (second.code, "is run by pid" in second.stderr) == (5, True)
    by_hand = zygote.hpo(case.folder.path, "register", "second")
    assert by_hand.code == 5
    barrier.touch()
    assert first.wait() == 0
    case.check_whole()


def test_a_driver_whose_sweep_is_taken_over_at_the_last_step_registers_nothing(case, zygote, wait_for) -> None:
    """F16, G6: the first one ends with exit 6, and nothing it still had to say is recorded."""
    (case.folder.path / "hold").touch()
    first = zygote.start(case.folder.path, "run", "sweep.yaml")
    wait_for(lambda: (case.folder.path / "held").exists())
    second = zygote.start(case.folder.path, "run", "sweep.yaml", "--takeover")
    assert first.wait() == 6, first.stderr
    (case.folder.path / "hold").unlink()
    assert second.wait() == 0, second.stderr
    case.check_whole()


def test_a_driver_that_wakes_up_after_a_takeover_does_not_decide_once_more(case, zygote, wait_for) -> None:
    """F16, G6, G9: it had passed the gates when it froze; by now the other one has registered."""
    barrier = case.folder.path / "go"
    environment = {"HPO_FAILPOINT": f"gates.passed:wait:{barrier}:1"}
    first = zygote.start(case.folder.path, "run", "sweep.yaml", environment=environment)
    wait_for(lambda: (case.folder.path / "go.reached").exists())
    second = case.run("", "--takeover")
    assert second.code == 0, second.stderr
    case.check_whole()
    barrier.touch()
    assert first.wait() == 6, first.stderr
    case.check_whole()
