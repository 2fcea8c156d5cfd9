"""Drivers killed with SIGKILL, again and again: the sweep ends with the very trials it would have had at once."""

import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from trackers.records import TrialFacts

GRID = {
    "x": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.5},
    "y": {"type": "int", "low": 1, "high": 3},
}
ENGINES: dict[str, tuple[str, str]] = {
    "random": ("optuna", "random"),
    "tpe": ("optuna", "tpe"),
    "hyperopt tpe": ("hyperopt", "tpe"),
    "cmaes": ("optuna", "cmaes"),
    "grid": ("optuna", "grid"),
}
PARALLEL: dict[str, dict[str, object]] = {
    "serial": {"n_jobs": 1, "backend": "serial", "window": 2},
    "threads": {"n_jobs": 2, "backend": "threading", "window": 2},
    "processes": {"n_jobs": 2, "backend": "loky", "window": 2},
}
POISON = """

def poison(params, trial):
    import signal

    ledger("start", trial, params)
    if trial.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    ledger("finish", trial, params)
    return params["x"]
"""


class Hpo:
    """`hpo ARGUMENTS` in the folder, forked from a process that has everything imported."""

    def __init__(self, zygote, folder: Path) -> None:
        self._zygote = zygote
        self._folder = folder
        self.started = []

    def start(self, *arguments: str):
        self.started.append(self._zygote.start(self._folder, *arguments))
        return self.started[-1]

    def __call__(self, *arguments: str):
        """Run to its end."""
        return self._zygote.hpo(self._folder, *arguments)


@pytest.fixture
def hpo(sweep_folder, zygote) -> Iterator[Hpo]:
    drivers = Hpo(zygote, sweep_folder.path)
    yield drivers
    for driver in drivers.started:
        driver.end()


def kill9(driver) -> None:
    driver.send(signal.SIGKILL)
    assert driver.wait() == 137


def results(trials: list[TrialFacts]) -> list[tuple[int, Mapping[str, object], float | None, str]]:
    return [(trial.number, dict(trial.params), trial.value, str(trial.state)) for trial in trials]


def sweep(folder, engine: str, parallel: Mapping[str, object], n_trials: int = 9) -> None:
    library, sampler = ENGINES[engine]
    options = {"n_startup_trials": 3} if sampler == "cmaes" or engine == "tpe" else {}
    settings: dict[str, object] = {
        "engine": {"name": library, "sampler": sampler, "options": options},
        "parallel": dict(parallel),
        "budget": {"n_trials": n_trials},
    }
    if sampler == "grid":
        settings["parameters"] = GRID
    folder.write(**settings)


GOLDEN: dict[tuple[str, str], list[tuple[int, Mapping[str, object], float | None, str]]] = {}


def golden(folder, hpo: Hpo, engine: str) -> list[tuple[int, Mapping[str, object], float | None, str]]:
    """The trials of a sweep that nobody interrupts, in threads of this window; they do not depend on the backend."""
    key = (engine, folder.file.read_text())
    if key not in GOLDEN:
        assert hpo("run", "sweep.yaml", "-S", "name=golden", "-S", "parallel.backend=serial",
                          "-S", "parallel.n_jobs=1").code == 0  # fmt: skip
        GOLDEN[key] = results(folder.trials("golden"))
        (folder.path / "ledger.txt").unlink()
    return GOLDEN[key]


CASES = [
    ("random", "serial"),
    ("hyperopt tpe", "serial"),
    ("cmaes", "serial"),
    ("grid", "threads"),
    ("tpe", "processes"),
]
SLOW = [(engine, parallel) for engine in ENGINES for parallel in PARALLEL if (engine, parallel) not in CASES]


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(
    ("engine", "parallel"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_a_sweep_whose_driver_is_killed_at_three_moments_ends_with_the_trials_it_would_have_had_at_once(
    sweep_folder, hpo: Hpo, wait_for: Callable[..., None], living, engine: str, parallel: str
) -> None:
    """F1: SIGKILL while trials 0, 4 and 7 run; G1, G2, G3, G12."""
    folder = sweep_folder
    sweep(folder, engine, PARALLEL[parallel])
    wanted = golden(folder, hpo, engine)
    recorded: dict[int, int] = {}
    for verb, name, moment in (("run", "sweep.yaml", 0), ("resume", "faults", 4), ("run", "sweep.yaml", 7)):
        folder.hold(moment)
        driver = hpo.start(verb, name)
        wait_for(lambda moment=moment: folder.held(moment))
        kill9(driver)
        folder.release(moment)
        wait_for(lambda: not living(folder.path))  # no worker outlives it
        assert folder.states().count("COMPLETE") >= driver.stderr.count(" COMPLETE ")
        runs = folder.executions()
        recorded |= {n: runs[n] for n, state in enumerate(folder.states()) if state == "COMPLETE" and n not in recorded}
    last = hpo("resume", "faults")
    assert last.code == 0, last.stderr
    assert "of dead driver pid" in last.stderr
    assert results(folder.trials()) == wanted
    assert recorded == {number: folder.executions()[number] for number in recorded}  # what is on record never ran again
    assert folder.integrity() == "ok"


def test_a_trial_that_kills_its_driver_every_time_is_lost_and_the_sweep_ends_with_all_its_trials(
    sweep_folder, hpo: Hpo
) -> None:
    """F1: a poison trial on the serial backend; G3."""
    folder = sweep_folder
    objective = folder.path / "fault_objective.py"
    objective.write_text(objective.read_text() + POISON)
    folder.write(objective={"python": "fault_objective:poison"})
    assert [hpo("run", "sweep.yaml").code for _ in range(4)] == [137] * 4
    last = hpo("run", "sweep.yaml")
    assert last.code == 0, last.stderr
    trials = folder.trials()
    assert [str(trial.state) for trial in trials] == ["COMPLETE"] * 2 + ["FAILED"] + ["COMPLETE"] * 3
    assert (trials[2].reason, trials[2].attempt) == ("lost", 4)
    assert folder.executions("start") == {0: 1, 1: 1, 2: 4, 3: 1, 4: 1, 5: 1}


def test_stop_ends_a_driver_that_runs_elsewhere_and_resume_goes_on(sweep_folder, hpo: Hpo, wait_for) -> None:
    """`hpo stop` through the store: no RUNNING rows, the trial it interrupts is WAITING; G11."""
    folder = sweep_folder
    golden_trials = golden(folder, hpo, "random")
    folder.hold(2)
    driver = hpo.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(2))
    stop = hpo.start("stop", "faults")
    wait_for(lambda: "asked to stop" in driver.stderr)
    folder.release(2)
    assert stop.wait() == 0, stop.stderr
    assert "sweep faults was stopped; go on with: hpo resume faults" in stop.stderr
    assert driver.wait() == 130
    assert "RUNNING" not in folder.states()
    assert hpo("resume", "faults").code == 0
    assert results(folder.trials()) == golden_trials
    assert folder.executions() == dict.fromkeys(range(6), 1)


def test_a_takeover_by_resume_fences_the_first_driver_off(sweep_folder, hpo: Hpo, wait_for) -> None:
    """F15, F16: a frozen driver is refused to a second one, then taken over; its late result is refused."""
    folder = sweep_folder
    wanted = golden(folder, hpo, "random")
    folder.hold(2)
    first = hpo.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(2))
    first.send(signal.SIGSTOP)
    refused = hpo("resume", "faults")
    assert refused.code == 5
    assert f"pid {first.pid} on host" in refused.stderr
    folder.release(2)
    second = hpo("resume", "faults", "--takeover")
    assert second.code == 0, second.stderr
    assert results(folder.trials()) == wanted
    first.send(signal.SIGCONT)
    assert first.wait() == 6, first.stderr
    assert results(folder.trials()) == wanted
    assert [trial.attempt for trial in folder.trials()] == [1, 1, 2, 1, 1, 1]


def test_a_fork_killed_at_its_first_new_trial_goes_on_with_what_it_reused(sweep_folder, hpo: Hpo, wait_for) -> None:
    """F20: the fork takes its trials over in one transaction with its own beginning."""
    folder = sweep_folder
    assert hpo("run", "sweep.yaml").code == 0
    old = folder.file.read_text()
    folder.write(parameters={"y": {"type": "int", "low": 1, "high": 12}})
    assert folder.file.read_text() != old
    refused = hpo("run", "sweep.yaml")
    assert refused.code == 2
    assert "  - parameters.y.high: 9\n  + parameters.y.high: 12\n" in refused.stderr
    folder.hold(7)
    driver = hpo.start("run", "sweep.yaml", "--fork", "-n", "9")
    wait_for(lambda: folder.held(7))
    kill9(driver)
    folder.release(7)
    assert hpo("run", "sweep.yaml", "--fork", "-n", "9").code == 0
    forked = results(folder.trials("faults-2"))
    assert forked[:6] == results(folder.trials())
    assert [trial[0] for trial in forked] == list(range(9))
    assert folder.executions() == dict.fromkeys(range(9), 1)


def test_a_time_budget_counts_over_all_drivers(sweep_folder, hpo: Hpo, wait_for) -> None:
    """Interrupting a sweep gives it no more time."""
    folder = sweep_folder
    folder.write(budget={"n_trials": 100_000, "timeout": 2})
    folder.hold(3)
    driver = hpo.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(3))
    kill9(driver)
    folder.release(3)
    assert hpo("resume", "faults").code == 0
    ended = len(folder.trials())
    assert ended < 100_000
    assert "nothing was run" in hpo("resume", "faults").stdout
    assert len(folder.trials()) == ended


def test_a_sweep_is_resumed_after_its_folder_was_moved_with_its_code_in_the_current_one(
    sweep_folder, hpo: Hpo, wait_for, tmp_path: Path
) -> None:
    """The store says where the code was; where it is gone the current folder serves."""
    folder = sweep_folder
    folder.hold(1)
    driver = hpo.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(1))
    kill9(driver)
    folder.file.unlink()
    shutil.move(folder.path / "fault_objective.py", folder.path / "kept.txt")
    gone = hpo("resume", "faults")
    assert gone.code == 2
    assert "cannot go on: fault_objective: there is no module 'fault_objective'" in gone.stderr
    shutil.move(folder.path / "kept.txt", folder.path / "fault_objective.py")
    folder.release(1)
    assert hpo("resume", "faults").code == 0
    assert folder.states() == ["COMPLETE"] * 6
