"""Sweeps that prune, killed while trials report, and continued: the same trials end at the same steps."""

from collections import Counter
from collections.abc import Callable

import pytest

from trackers.opening import open_store
from trackers.records import Query

OBJECTIVE = """
import json, os, pathlib

LEDGER = pathlib.Path(__file__).parent / "ledger.txt"


def ledger(word, trial, params):
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word}\\t{trial.number}\\t{json.dumps(params)}\\t{os.getpid()}\\n".encode())
    os.close(file)


def objective(params, trial):
    ledger("start", trial, params)
    for step in range(1, 6):
        trial.report(step, (params["x"] - 0.3) ** 2 + params["y"] / 100 / step)
    ledger("finish", trial, params)
    return (params["x"] - 0.3) ** 2 + params["y"] / 500
"""
TRIALS = 14
KILLED = 137
SERIAL = {"backend": "serial", "n_jobs": 1, "window": 3}
TWO_PROCESSES = {"backend": "loky", "n_jobs": 2, "window": 3}
Trials = list[tuple[int, dict[str, object], str, float | None, list[tuple[int, float]]]]


class Case:
    """One sweep in a folder of its own."""

    def __init__(self, folder, zygote, parallel: dict[str, object]) -> None:
        self.folder = folder
        self._zygote = zygote
        (folder.path / "pruned_objective.py").write_text(OBJECTIVE)
        folder.write(
            objective={"python": "pruned_objective:objective"},
            engine={"name": "hyperopt", "sampler": "tpe", "options": {"n_startup_jobs": 4}},
            pruner={"name": "asha", "options": {"min_resource": 1, "reduction_factor": 2}},
            budget={"n_trials": TRIALS},
            parallel=parallel,
        )

    def run(self, failpoint: str = "", count: str = ""):
        environment = {"HPO_FAILPOINT": failpoint, "HPO_FAILPOINT_COUNT": count}
        return self._zygote.hpo(self.folder.path, "run", "sweep.yaml", environment=environment)

    def trials(self) -> Trials:
        with open_store(self.folder.uri, read_only=True) as store:
            parent = store.tracker.find(Query(sweeps=True, roots=True))[-1]
            runs = store.tracker.find(Query(parent=parent.id, points_of="loss"))
        return [
            (t.number, dict(t.params), str(t.state), t.value, [(p.step, p.value) for p in run.points])
            for run in runs
            if (t := run.trial) is not None
        ]


@pytest.fixture
def make_case(new_folder, zygote) -> Callable[..., Case]:
    return lambda name, parallel: Case(new_folder(name), zygote, dict(parallel))


def golden_of(case: Case) -> tuple[Trials, Counter[str]]:
    done = case.run(count=str(case.folder.path / "count"))
    assert done.code == 0, done.stderr
    trials = case.trials()
    states = Counter(state for _, _, state, _, _ in trials)
    assert states["PRUNED"] > 3
    assert states["COMPLETE"] > 3
    return trials, Counter((case.folder.path / "count").read_text().split())


def killed_and_resumed(case: Case, failpoint: str, golden: Trials) -> None:
    stopped = case.run(failpoint)
    assert stopped.code == KILLED, f"{failpoint}: {stopped.code}\n{stopped.stderr}"
    assert case.folder.integrity() == "ok"
    again = case.run()
    assert again.code == 0, f"{failpoint}: {again.stderr}"
    assert case.trials() == golden, failpoint


@pytest.mark.slow
def test_a_sweep_killed_while_trials_report_is_continued_to_the_same_pruned_trials(make_case) -> None:
    """F1, G12."""
    golden, places = golden_of(make_case("golden", SERIAL))
    reports = places["report.before_reply"]
    kills = [f"report.before_reply:kill9:{nth}" for nth in (1, reports // 2, reports)]
    kills += ["finish.before_commit:kill9:6", "finish.after_commit:kill9:9", "start.after_commit:kill9:11"]
    for number, failpoint in enumerate(kills):
        killed_and_resumed(make_case(f"case-{number}", SERIAL), failpoint, golden)


@pytest.mark.slow
def test_a_sweep_with_two_processes_killed_while_trials_report_is_continued_to_the_same_pruned_trials(
    make_case,
) -> None:
    """F1, G12: two workers may wait for a reply."""
    golden, _ = golden_of(make_case("golden", SERIAL))
    for number, nth in enumerate((4, 20)):
        killed_and_resumed(make_case(f"case-{number}", TWO_PROCESSES), f"report.before_reply:kill9:{nth}", golden)


@pytest.mark.slow
def test_a_sweep_killed_again_and_again_while_trials_report_ends_with_the_same_pruned_trials(make_case) -> None:
    """F1, G3, G12."""
    golden, _ = golden_of(make_case("golden", SERIAL))
    case = make_case("again", TWO_PROCESSES)
    kills = 0
    while (done := case.run("report.before_reply:kill9:15")).code == KILLED:
        kills += 1
        assert kills < 40, done.stderr
    assert done.code == 0, done.stderr
    assert kills > 1
    assert case.trials() == golden
