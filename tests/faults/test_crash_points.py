"""The crash-point sweep: killed at every place that can be told apart, resumed, and equal to the golden result.

A sweep of 6 trials that saves models and registers its winner runs once to count the places it reaches; then once for
each, killed there by SIGKILL, and continued by the same command. The ledger that the objective writes is the oracle of
what really ran.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from trackers.artifacts import PART, ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query

SERIAL = {"backend": "serial", "n_jobs": 1}
TWO_PROCESSES = {"backend": "loky", "n_jobs": 2}
KILLED = 137
EXPECTED_PLACES = {
    "parent.before_commit",
    "parent.after_commit",
    "parent.before_manifest",
    "take_up.done",
    "start.before_commit",
    "start.after_commit",
    "finish.before_commit",
    "finish.after_commit",
    "store.before_commit",
    "artifact.half",
    "artifact.before_rename",
    "model.before_delete",
    "print.before",
    "sweep_end.before_commit",
    "sweep_end.after_commit",
    "register.before_insert",
    "register.before_alias",
    "register.before_commit",
    "register.after_commit",
    "register.before_tag",
}
Trials = list[tuple[int, dict[str, object], str, float | None]]


class Case:
    """One sweep in a folder of its own, with all that is checked of it."""

    def __init__(self, folder, zygote, parallel: dict[str, object], *, models: bool) -> None:
        self.folder = folder
        self._zygote = zygote
        self._models = models
        engine = {"seed": 16}  # its best improves twice, so that models are let go while it runs
        if models:
            folder.write(
                objective={"python": "fault_objective:with_model"},
                engine=engine,
                parallel=parallel,
                tracker={"log_models": "best"},
                register={"name": "fault-model", "alias": "champion"},
            )
        else:
            folder.write(engine=engine, parallel=parallel)

    def run(self, failpoint: str = "", count: str = ""):
        environment = {**self.folder.tracker, "HPO_FAILPOINT": failpoint, "HPO_FAILPOINT_COUNT": count}
        return self._zygote.hpo(self.folder.path, "run", "sweep.yaml", environment=environment)

    def trials(self) -> Trials:
        return [(t.number, dict(t.params), str(t.state), t.value) for t in self.folder.trials()]

    def complete(self) -> dict[int, float | None]:
        if not self.folder.has_store:
            return {}
        return {number: value for number, _, state, value in self.trials() if state == "COMPLETE"}

    def check_after_kill(self, stderr: str) -> None:
        """What was printed is on record, nothing half is listed."""
        if not self.folder.has_store:
            assert not printed(stderr)
            return
        assert self.folder.integrity() == "ok"
        assert set(printed(stderr)) <= set(self.complete())
        with open_store(self.folder.uri, read_only=True) as store:
            for run in store.tracker.find(Query()):
                names = ArtifactFolder().names(run.artifact_uri)
                assert not [name for name in names if name.endswith(PART)]
                assert ArtifactFolder().verify(run.artifact_uri, store.tracker.artifacts(run.id)) == []

    def check_whole(self, golden: Trials) -> None:
        """The sweep that was asked for, as if nothing had happened."""
        assert self.trials() == golden
        assert self.folder.integrity() == "ok"
        assert self.folder.sweep().status == "FINISHED"
        if self._models:
            self._check_winner(golden)

    def _check_winner(self, golden: Trials) -> None:
        best = min((value, number) for number, _, _, value in golden if value is not None)[1]
        with open_store(self.folder.uri, read_only=True) as store:
            [version] = store.registry.versions("fault-model")
            assert list(version.aliases) == ["champion"]
            events = [event.action for event in store.registry.history("fault-model")]
            assert events == ["register", "alias"]
            winner = store.tracker.get(version.run_id or "")
            assert winner.trial is not None
            assert winner.trial.number == best
            assert winner.models
            for run in store.tracker.find(Query()):
                manifest = store.tracker.artifacts(run.id)
                assert ArtifactFolder().verify(run.artifact_uri, manifest) == []
                assert bool(run.models) == (run.id == winner.id)


def printed(stderr: str) -> list[int]:
    """The trials that were said to be complete, in whole lines."""
    return [int(number) for number in re.findall(r"^trial (\d+) COMPLETE .*\n", stderr, re.M)]


def passings(places: list[str]) -> list[str]:
    """Every place with its number, in the order reached: `name:kill9:nth`."""
    seen: Counter[str] = Counter()
    found = []
    for place in places:
        seen[place] += 1
        found.append(f"{place}:kill9:{seen[place]}")
    return found


def some(places: list[str]) -> list[str]:
    """The last passing of every other place."""
    return [f"{place}:kill9:{places.count(place)}" for place in list(dict.fromkeys(places))[::2]]


def golden_of(case: Case) -> tuple[Trials, list[str]]:
    """The trials of a sweep that nobody disturbs, and the places it reaches."""
    done = case.run(count=str(case.folder.path / "count"))
    assert done.code == 0, done.stderr
    trials = case.trials()
    case.check_whole(trials)
    assert case.folder.executions() == dict.fromkeys(range(6), 1)
    return trials, (case.folder.path / "count").read_text().split()


def killed_and_resumed(case: Case, failpoint: str, golden: Trials, in_flight: int, *, sure: bool = True) -> bool:
    """Kills the sweep there, continues it, and checks all of it; whether it was killed.

    Not `sure`: how often a place is passed depends on time, with several processes on what happens to end together.
    """
    stopped = case.run(failpoint)
    if not sure and stopped.code == 0:
        case.check_whole(golden)
        return False
    assert stopped.code == KILLED, f"{failpoint}: {stopped.code}\n{stopped.stderr}"
    case.check_after_kill(stopped.stderr)
    complete, ran = case.complete(), len(case.folder.ledger())
    again = case.run()
    assert again.code == 0, f"{failpoint}: {again.stderr}"
    case.check_whole(golden)
    assert case.complete().items() >= complete.items()
    rerun = {entry.number for entry in case.folder.ledger()[ran:]}
    assert not rerun & set(complete), f"{failpoint}: trials on record ran again"
    assert sum(case.folder.executions().values()) <= 6 + in_flight
    return True


@pytest.fixture
def make_case(new_folder, zygote) -> Callable[..., Case]:
    return lambda name, parallel=SERIAL, models=True: Case(new_folder(name), zygote, dict(parallel), models=models)


@pytest.fixture
def make_case_on_postgres(new_folder, zygote, new_postgres_uri: Callable[[], str]) -> Callable[..., Case]:
    return lambda name, parallel=SERIAL, models=True: Case(
        new_folder(name, new_postgres_uri()), zygote, dict(parallel), models=models
    )


def sweep_over(make_case, parallel, choose: Callable[[list[str]], list[str]], in_flight: int) -> None:
    golden, places = golden_of(make_case("golden", parallel))
    for number, failpoint in enumerate(choose(places)):
        case = make_case(f"case-{number}", parallel)
        killed_and_resumed(case, failpoint, golden, in_flight, sure=is_sure(failpoint))


def is_sure(failpoint: str) -> bool:
    """Whether every sweep passes there so often: the heart of a driver commits too, as often as there is time for, and
    models that dropped out are looked for once a turn.
    """
    return failpoint.endswith(":1") or not failpoint.startswith(("store.", "model.before_delete"))


def test_the_golden_sweep_passes_every_place_that_has_a_name(make_case) -> None:
    _, places = golden_of(make_case("golden"))
    assert set(places) >= EXPECTED_PLACES


def test_a_sweep_killed_at_some_places_is_continued_to_the_golden_result(make_case) -> None:
    """F1, F24, F25, G1, G3, G9, G12: the everyday share of the full product."""
    sweep_over(make_case, SERIAL, some, in_flight=1)


@pytest.mark.slow
def test_a_sweep_on_postgres_killed_at_any_place_is_continued_to_the_golden_result(make_case_on_postgres) -> None:
    """F1, F24, F25, G1, G3, G9, G12: the full product."""
    sweep_over(make_case_on_postgres, SERIAL, passings, in_flight=1)


@pytest.mark.slow
def test_a_sweep_killed_at_any_place_is_continued_to_the_golden_result(make_case) -> None:
    """F1, F24, F25, G1, G3, G9, G12: the full product."""
    sweep_over(make_case, SERIAL, passings, in_flight=1)


@pytest.mark.slow
def test_a_sweep_with_two_processes_killed_at_any_place_is_continued_to_the_golden_result(make_case) -> None:
    """F1, G1, G3, G12: two trials in flight; artifacts are written by workers, whose deaths test_slots.py is about."""
    golden, places = golden_of(make_case("golden", TWO_PROCESSES))
    driver = [place for place in places if not place.startswith("artifact.")]
    killed = set()
    for number, failpoint in enumerate(passings(driver)):
        case = make_case(f"case-{number}", TWO_PROCESSES)
        if killed_and_resumed(case, failpoint, golden, in_flight=2, sure=failpoint.endswith(":1")):
            killed.add(failpoint)
    assert len(killed) > 0.8 * len(driver)


@pytest.mark.slow
def test_a_sweep_with_two_processes_killed_at_some_places_is_continued_to_the_golden_result(make_case) -> None:
    """F1, G1, G3, G12: two trials in flight."""
    golden, _ = golden_of(make_case("golden", TWO_PROCESSES, models=False))
    for number, place in enumerate(("start.after_commit:kill9:3", "finish.before_commit:kill9:2")):
        case = make_case(f"case-{number}", TWO_PROCESSES, models=False)
        killed_and_resumed(case, place, golden, in_flight=2)


@pytest.mark.slow
def test_a_sweep_killed_again_and_again_is_continued_to_the_golden_result(make_case, tmp_path: Path) -> None:
    """F1, G3: many kills in a row, each at another place of what is left."""
    golden, _ = golden_of(make_case("golden"))
    case = make_case("again")
    kills = [
        "parent.after_commit:kill9:1",
        "start.after_commit:kill9:1",
        "finish.before_commit:kill9:1",
        "store.before_commit:kill9:4",
        "print.before:kill9:2",
        "finish.before_commit:kill9:2",
        "sweep_end.before_commit:kill9:1",
        "register.before_commit:kill9:1",
        "register.after_commit:kill9:1",
    ]
    for failpoint in kills:
        stopped = case.run(failpoint)
        assert stopped.code == KILLED, f"{failpoint}: {stopped.stderr}"
        case.check_after_kill(stopped.stderr)
    assert case.run().code == 0
    case.check_whole(golden)
    assert sum(case.folder.executions().values()) <= 6 + len(kills)


def test_a_finished_sweep_is_left_alone_by_one_more_run(make_case) -> None:
    """F1: nothing runs, nothing is registered twice."""
    case = make_case("once")
    golden, _ = golden_of(case)
    ran = len(case.folder.ledger())
    assert case.run().code == 0
    case.check_whole(golden)
    assert len(case.folder.ledger()) == ran
