"""Sweeps with replicates, known points and duplicates, killed and continued: the same trials and runs below them."""

from collections import Counter
from collections.abc import Callable

import pytest

from trackers.opening import open_store
from trackers.records import Query

OBJECTIVE = """
import json, os, pathlib
from random import Random

LEDGER = pathlib.Path(__file__).parent / "ledger.txt"


def ledger(word, trial, params):
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word}\\t{trial.number}\\t{json.dumps(params)}\\t{os.getpid()}\\n".encode())
    os.close(file)


def objective(params, trial):
    ledger("start", trial, params)
    trial.log_metric("noise", trial.seed % 11, step=1)
    ledger("finish", trial, params)
    return params["x"] ** 2 + params["k"] + Random(trial.seed).random()
"""
TRIALS, SEEDS, KILLED = 14, 2, 137
PARAMETERS = {"x": {"type": "float", "low": 0, "high": 1, "step": 0.5}, "k": [1, 2]}
SERIAL = {"backend": "serial", "n_jobs": 1, "window": 3}
TWO_PROCESSES = {"backend": "loky", "n_jobs": 2, "window": 3}
Below = list[tuple[str, int, int, float | None, dict[str, float]]]
Trials = list[tuple[int, dict[str, object], str, float | None, int | None, Below]]


class Case:
    """One sweep in a folder of its own, told first what another one found that is gone by the time it goes on."""

    def __init__(self, folder, zygote, parallel: dict[str, object]) -> None:
        self.folder = folder
        self._zygote = zygote
        (folder.path / "lucky_objective.py").write_text(OBJECTIVE)
        engine = {"name": "hyperopt", "sampler": "tpe", "options": {"n_startup_jobs": 4}}
        shared = {"objective": {"python": "lucky_objective:objective"}, "engine": engine, "parameters": PARAMETERS}
        folder.write(**shared, budget={"n_trials": 5}, parallel=SERIAL, name="before")
        assert self._run().code == 0
        folder.write(
            **shared,
            name="sweep",
            start=[{"x": 0.5, "k": 2}, {"k": 1}],
            warm_start={"from": ["before"], "top": 3},
            duplicates="reuse",
            replicates={"seeds": SEEDS},
            budget={"n_trials": TRIALS},
            parallel=parallel,
        )

    def run(self, failpoint: str = "", count: str = ""):
        return self._run({"HPO_FAILPOINT": failpoint, "HPO_FAILPOINT_COUNT": count})

    def forget_the_other(self) -> None:
        delete = self._zygote.hpo(self.folder.path, "delete", "before", "--yes")
        assert delete.code == 0, delete.stderr

    def trials(self) -> Trials:
        with open_store(self.folder.uri, read_only=True) as store:
            parent = store.tracker.find(Query(sweeps=True, roots=True, name="sweep"))[-1]
            runs = store.tracker.find(Query(parent=parent.id))
            numbers = {run.id: run.trial.number for run in runs if run.trial}
            return [
                (
                    t.number,
                    dict(t.params),
                    str(t.state),
                    t.value,
                    numbers.get(run.tags.get("hpo.reused_from", "")),
                    [
                        (again.name, b.number, b.seed, b.value, dict(again.metrics))
                        for again in store.tracker.find(Query(parent=run.id))
                        if (b := again.trial)
                    ],
                )
                for run in runs
                if (t := run.trial) is not None
            ]

    def _run(self, environment: dict[str, str] | None = None):
        return self._zygote.hpo(self.folder.path, "run", "sweep.yaml", environment=environment or {})


@pytest.fixture
def make_case(new_folder, zygote) -> Callable[..., Case]:
    return lambda name, parallel: Case(new_folder(name), zygote, dict(parallel))


def golden_of(case: Case) -> tuple[Trials, Counter[str]]:
    done = case.run(count=str(case.folder.path / "count"))
    assert done.code == 0, done.stderr
    trials = case.trials()
    reused = [source for *_, source, _ in trials if source is not None]
    assert len(reused) > 1
    assert all(len(below) == (0 if source is not None else SEEDS) for *_, source, below in trials)
    return trials, Counter((case.folder.path / "count").read_text().split())


def killed_and_resumed(case: Case, failpoint: str, golden: Trials) -> None:
    stopped = case.run(failpoint)
    assert stopped.code == KILLED, f"{failpoint}: {stopped.code}\n{stopped.stderr}"
    assert case.folder.integrity() == "ok"
    case.forget_the_other()
    again = case.run()
    assert again.code == 0, f"{failpoint}: {again.stderr}"
    assert case.trials() == golden, failpoint


@pytest.mark.slow
@pytest.mark.parametrize("parallel", [SERIAL, TWO_PROCESSES], ids=["serial", "two processes"])
def test_a_sweep_killed_anywhere_is_continued_to_the_same_trials_and_replicates(
    make_case, parallel: dict[str, object]
) -> None:
    """F1, G3, G12."""
    golden, places = golden_of(make_case("golden", SERIAL))
    ends = places["finish.before_commit"]
    kills = ["parent.before_manifest:kill9:1", "start.after_commit:kill9:2"]
    kills += [f"finish.{moment}:kill9:{nth}" for moment in ("before_commit", "after_commit") for nth in (1, ends // 2)]
    for number, failpoint in enumerate(kills):
        killed_and_resumed(make_case(f"case-{number}", parallel), failpoint, golden)
