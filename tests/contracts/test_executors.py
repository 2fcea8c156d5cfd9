"""What every executor must do, over the table of their names; and what only processes can."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import cloudpickle
import psutil
import pytest

from hpo.errors import ConfigError, ObjectiveError, TrialPruned
from hpo.executor import Executor
from hpo.executors.limits import Limits
from hpo.executors.names import EXECUTORS, make_executor
from hpo.executors.remote.cluster import Cluster
from hpo.executors.result_folder import ResultFolder
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, Question, SavedFile, SavedModel, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0
LOCAL = ["loky", "serial", "threading"]
BESIDE = ["loky", "threading", "dask"]
CLUSTERS = ["dask", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ray", "joblib:loky"))]
NAMES = [*LOCAL, *CLUSTERS]


@dataclass(frozen=True)
class FolderFiles:
    """Real files in a folder."""

    root: Path

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        target = self.root / artifact_uri / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return [SavedFile(name, target.stat().st_size, "0" * 64)]

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        raise NotImplementedError


Make = Callable[..., Executor]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Executor] = []

    def make(backend: str, objective: object, slots: int = 1, **more: object) -> Executor:
        settings: dict[str, object] = {
            "metric": "loss",
            "goal": Goal.MINIMIZE,
            "files": FolderFiles(tmp_path / "kept"),
            "scratch": tmp_path / "scratch",
        }
        slots = 1 if backend == "serial" else slots
        if backend == "dask":  # all tests share one cluster
            settings["cluster"] = Cluster(address=request.getfixturevalue("dask_cluster"))
        if backend == "ray":
            settings["cluster"] = Cluster(address=request.getfixturevalue("ray_cluster"))
        made.append(make_executor(backend, slots=slots, objective=objective, **settings | more))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def trial(number: int, **params: object) -> Trial:
    return Trial(number, params, seed=1000 + number, artifact_uri=f"run{number}")


def run(executor: Executor, *trials: Trial) -> dict[int, Outcome]:
    """Runs all trials with every slot busy; fails where a trial has no outcome or two."""
    waiting, outcomes, submitted = list(trials), {}, 0
    deadline = time.monotonic() + PATIENCE
    while len(outcomes) < len(trials) and time.monotonic() < deadline:
        while waiting and submitted - len(outcomes) < executor.slots:
            executor.submit(waiting.pop(0))
            submitted += 1
        for outcome in executor.wait(PATIENCE):
            assert outcome.number not in outcomes
            outcomes[outcome.number] = outcome
    assert sorted(outcomes) == sorted(each.number for each in trials)
    assert executor.wait(0) == []
    return outcomes


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)


@pytest.mark.parametrize("backend", NAMES)
def test_every_trial_ends_in_exactly_one_outcome(backend: str, make: Make) -> None:
    outcomes = run(make(backend, lambda params, trial: params["x"] * 2, slots=2), *(trial(n, x=n) for n in range(25)))

    assert [outcomes[n].metrics for n in range(25)] == [{"loss": 2.0 * n} for n in range(25)]
    assert {outcome.state for outcome in outcomes.values()} == {State.COMPLETE}


@pytest.mark.parametrize("backend", NAMES)
def test_params_and_seed_arrive_typed(backend: str, make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.set_tag("types", ",".join(type(value).__name__ for value in params.values()))
        trial.set_tag("seed", trial.seed)
        trial.set_tag("number", trial.number)
        return 0.0

    outcome = run(make(backend, objective), trial(7, a=1, b=1.0, c=True, d="1", e=None))[7]

    assert outcome.tags == {"types": "int,float,bool,str,NoneType", "seed": "1007", "number": "7"}


FAULTS: Mapping[str, tuple[Callable[[], object], str, str]] = {
    "an exception": (lambda: 1 / 0, "exception", "ZeroDivisionError: division by zero"),
    "sys.exit": (lambda: sys.exit(3), "exception", "SystemExit: 3"),
    "NaN": (lambda: float("nan"), "nonfinite", "nan"),
    "None": (lambda: None, "invalid_result", "got None"),
    "text": (lambda: "0.5", "invalid_result", "str '0.5'"),
    "infinity": (lambda: float("inf"), "nonfinite", "loss = inf"),
    "minus infinity": (lambda: float("-inf"), "nonfinite", "loss = -inf"),
    "a decimal that is no number": (lambda: Decimal("sNaN"), "nonfinite", "nan"),
    "a bool": (lambda: True, "invalid_result", "bool True"),
    "an int that no float holds": (lambda: 10**400, "invalid_result", "int of about 10**400"),
    "a complex number": (lambda: 1j, "invalid_result", "complex 1j"),
    "a list": (lambda: [0.5], "invalid_result", "list [0.5]"),
    "no metric at all": (dict, "no_result", "no metric at all"),
    "NaN by name": (lambda: {"loss": float("nan"), "other": 1.0}, "nonfinite", "nan"),
    "None by name": (lambda: {"loss": None}, "invalid_result", "loss of the result must be a number, got None"),
    "too little memory": (lambda: bytearray(2**62), "oom", "MemoryError"),
    "an interrupt of its own": (lambda: _raise(GeneratorExit()), "exception", "GeneratorExit"),
    "another metric": (lambda: {"accuracy": 1.0}, "no_result", "'loss', got 'accuracy'"),
    "an exception that cannot be pickled": (lambda: _raise_unpicklable(), "exception", "Unpicklable: no way"),
    "an endless message": (lambda: _raise(ValueError("x" * 50_000_000)), "exception", "ValueError: xxx"),
}


def _raise(error: BaseException) -> None:
    raise error


def _raise_unpicklable() -> None:
    class Unpicklable(BaseException):
        def __init__(self) -> None:
            super().__init__("no way")
            self.lock = threading.Lock()

    raise Unpicklable


@pytest.mark.parametrize("backend", NAMES)
def test_a_trial_that_goes_wrong_costs_itself_alone(backend: str, make: Make) -> None:
    """F8, F9"""
    kinds = list(FAULTS)

    def objective(params: Mapping[str, object], trial: TrialContext) -> object:
        return FAULTS[str(params["fault"])][0]() if params["fault"] else 1.0

    trials = [trial(n, fault=kinds[n // 2] if n % 2 else "") for n in range(2 * len(kinds))]
    outcomes = run(make(backend, objective, slots=2), *trials)

    for n, kind in enumerate(kinds):
        healthy, faulty = outcomes[2 * n], outcomes[2 * n + 1]
        assert healthy.state is State.COMPLETE
        assert (faulty.state, faulty.reason) == (State.FAILED, FAULTS[kind][1])
        assert FAULTS[kind][2] in faulty.error
        assert len(faulty.error) <= 500
        assert len(faulty.traceback) < 21_000


@pytest.mark.parametrize("backend", NAMES)
def test_what_a_trial_does_to_its_params_stays_there(backend: str, make: Make) -> None:
    def objective(params: dict[str, object], trial: TrialContext) -> float:
        params["x"] = 99
        return 0.0

    mine = trial(0, x=1)
    run(make(backend, objective), mine)

    assert mine.params == {"x": 1}


@pytest.mark.parametrize("backend", NAMES)
def test_each_attempt_has_an_empty_folder_that_is_gone_afterwards(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.set_tag("dir", trial.dir.name)
        found = len(list(trial.dir.iterdir()))
        (trial.dir / "left.txt").write_text("left")
        return found

    outcomes = run(make(backend, objective), trial(3), trial(4))

    assert [outcomes[n].metrics["loss"] for n in (3, 4)] == [0.0, 0.0]
    assert [outcomes[n].tags["dir"] for n in (3, 4)] == ["3-1", "4-1"]
    assert [path.name for path in (tmp_path / "scratch").glob("[34]-*")] == []


@pytest.mark.parametrize("backend", NAMES)
def test_what_a_trial_keeps_comes_back_and_is_on_disk(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (trial.dir / "note.txt").write_text("hello")
        trial.log_artifact(trial.dir / "note.txt", "notes/note.txt")
        trial.log_metric("speed", 2, step=5)
        trial.report(1, 0.5)
        return 0.0

    outcome = run(make(backend, objective), trial(0))[0]

    assert [file.path for file in outcome.files] == ["notes/note.txt"]
    assert [(r.metric, r.value, r.step) for r in outcome.reports] == [("speed", 2.0, 5), ("loss", 0.5, 1)]
    assert (tmp_path / "kept/run0/notes/note.txt").read_text() == "hello"


@pytest.mark.parametrize("backend", NAMES)
def test_submitting_to_a_busy_executor_is_an_error(backend: str, make: Make) -> None:
    executor = make(backend, lambda params, trial: 0.0)
    executor.submit(trial(0))

    with pytest.raises(RuntimeError, match="trial 1 was submitted while"):
        executor.submit(trial(1))
    assert [outcome.number for outcome in executor.wait(PATIENCE)] == [0]


@pytest.mark.parametrize("backend", NAMES)
def test_waiting_for_nothing_returns_at_once(backend: str, make: Make) -> None:
    executor = make(backend, lambda params, trial: 0.0)

    assert executor.wait(None) == []


@pytest.mark.parametrize("backend", NAMES)
def test_a_cancelled_trial_has_no_outcome(backend: str, make: Make) -> None:
    executor = make(backend, lambda params, trial: float(params["x"]))
    executor.submit(trial(0, x=0))
    executor.cancel(trial(0, x=0))
    executor.cancel(trial(8, x=0))  # not open: nothing happens

    assert run(executor, trial(1, x=1))[1].metrics == {"loss": 1.0}


@pytest.mark.parametrize("backend", NAMES)
def test_closing_twice_is_harmless(backend: str, make: Make) -> None:
    executor = make(backend, lambda params, trial: 0.0)
    executor.submit(trial(0))

    executor.close()
    executor.close()

    assert executor.wait(0) == []


@pytest.mark.parametrize("backend", NAMES)
def test_an_objective_that_cannot_get_ready_is_known_before_trial_1(backend: str, make: Make) -> None:
    class Broken:
        def prepare(self) -> None:
            raise FileNotFoundError("no data.csv")

        def __call__(self, params: Mapping[str, object], trial: TrialContext) -> float:
            return 0.0

    with pytest.raises(ObjectiveError, match=r"cannot get ready: FileNotFoundError: no data\.csv"):
        make(backend, Broken())


@pytest.mark.parametrize("backend", NAMES)
def test_modules_are_found_on_the_search_path(backend: str, make: Make, tmp_path: Path) -> None:
    name = f"beside_the_sweep_{backend.replace(':', '_')}"
    (tmp_path / f"{name}.py").write_text("LOSS = 4.5")

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        return __import__(str(params["module"])).LOSS

    before = list(sys.path)
    try:
        outcomes = run(make(backend, objective, search_path=[str(tmp_path)]), trial(0, module=name))
    finally:
        sys.path[:] = before

    assert outcomes[0].metrics == {"loss": 4.5}


@pytest.mark.parametrize("backend", NAMES)
def test_inner_threads_limit_what_numpy_and_openmp_use(backend: str, make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        from threadpoolctl import threadpool_info

        return max(pool["num_threads"] for pool in threadpool_info())

    outcomes = run(make(backend, objective, inner_threads=2), trial(0), trial(1))

    # not the 1 of all tests; and a library loaded inside a trial is limited from the next one on
    assert outcomes[1].metrics == {"loss": 2.0}


class Judge:
    """Answers questions; remembers what was reported."""

    def __init__(self, stop_at: int = 1_000_000) -> None:
        self.stop_at = stop_at
        self.seen: dict[int, list[tuple[int, float]]] = {}

    def __call__(self, question: Question) -> bool:
        seen = self.seen.setdefault(question.number, [])
        seen += [(report.step, report.value) for report in question.reports]
        return seen[-1][0] >= self.stop_at


def outcomes_of(executor: Executor, answer: Callable[[Question], bool], count: int) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    deadline = time.monotonic() + PATIENCE
    while len(outcomes) < count and time.monotonic() < deadline:
        outcomes |= {outcome.number: outcome for outcome in executor.wait(PATIENCE, answer)}
    assert len(outcomes) == count
    return outcomes


def reporting(params: Mapping[str, object], trial: TrialContext) -> float:
    for step in range(1, 6):
        trial.report(step, trial.number + step / 10)
    return 0.5


@pytest.mark.parametrize("backend", NAMES)
def test_a_trial_that_reports_asks_and_goes_on(backend: str, make: Make) -> None:
    judge, executor = Judge(), make(backend, reporting, slots=2, asks=True)

    slots = executor.slots  # of a cluster there may be more later
    for number in range(slots):
        executor.submit(trial(number))
    outcomes = outcomes_of(executor, judge, slots)

    assert {outcome.state for outcome in outcomes.values()} == {State.COMPLETE}
    assert judge.seen == {n: [(step, n + step / 10) for step in range(1, 6)] for n in range(slots)}


@pytest.mark.parametrize("backend", NAMES)
def test_a_trial_that_is_told_to_stop_is_pruned_and_keeps_its_reports(backend: str, make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        try:
            return reporting(params, trial)
        finally:
            trial.set_tag("cleaned", "up")

    executor = make(backend, objective, asks=True)
    for _ in range(2):  # the slot serves on
        executor.submit(trial(0))
        outcome = outcomes_of(executor, Judge(stop_at=3), 1)[0]

        assert (outcome.state, outcome.metrics, outcome.reason, outcome.error) == (State.PRUNED, {}, "", "")
        assert [report.step for report in outcome.reports] == [1, 2, 3]
        assert outcome.tags == {"cleaned": "up"}


@pytest.mark.parametrize("backend", NAMES)
def test_a_trial_that_is_told_to_stop_and_goes_on_is_told_again_and_pruned(backend: str, make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        for step in range(1, 6):
            try:
                trial.report(step, 1.0)
            except TrialPruned:
                trial.set_tag(f"told at {step}", "")
        return 0.0

    judge, executor = Judge(stop_at=4), make(backend, objective, asks=True)
    executor.submit(trial(0))
    outcome = outcomes_of(executor, judge, 1)[0]

    assert (outcome.state, outcome.metrics) == (State.PRUNED, {})
    assert sorted(outcome.tags) == ["told at 4", "told at 5"]
    assert [step for step, _ in judge.seen[0]] == [1, 2, 3, 4]  # nobody is asked again


@pytest.mark.parametrize("backend", NAMES)
def test_a_question_holds_all_that_is_new_of_the_metric(backend: str, make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.log_metric("loss", 5.0, step=1)
        trial.log_metric("speed", 9.0, step=1)
        trial.report(2, float("nan"))
        trial.report(2, -4.0)
        return 0.0

    judge, executor = Judge(), make(backend, objective, asks=True)
    executor.submit(trial(0))
    outcome = outcomes_of(executor, judge, 1)[0]

    assert str(judge.seen[0]) == "[(1, 5.0), (2, nan), (2, -4.0)]"
    times = [report.timestamp for report in outcome.reports if report.step == 2]
    assert times[0] < times[1]  # so that the first is the first also in the store


@pytest.mark.parametrize("backend", NAMES)
def test_nobody_is_asked_where_nobody_judges(backend: str, make: Make) -> None:
    judge, executor = Judge(stop_at=0), make(backend, reporting)
    executor.submit(trial(0))

    assert outcomes_of(executor, judge, 1)[0].state is State.COMPLETE
    assert judge.seen == {}


@pytest.mark.parametrize("backend", NAMES)
def test_an_objective_may_stop_by_its_own_rule(backend: str, make: Make) -> None:
    class Foreign:  # as optuna's
        class TrialPruned(Exception):
            pass

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.report(1, 2.0)
        raise Foreign.TrialPruned if params["foreign"] else TrialPruned

    executor = make(backend, objective)
    outcomes = run(executor, trial(0, foreign=True), trial(1, foreign=False))

    assert {(outcome.state, outcome.reason) for outcome in outcomes.values()} == {(State.PRUNED, "")}
    assert len(outcomes[0].reports) == 1


@pytest.mark.parametrize("backend", NAMES)
def test_what_an_answer_raises_reaches_who_waits(backend: str, make: Make) -> None:
    def broken(question: Question) -> bool:
        raise LookupError("no answer")

    executor = make(backend, reporting, asks=True)
    executor.submit(trial(0))

    with pytest.raises(LookupError, match="no answer"):
        executor.wait(PATIENCE, broken)
    executor.close()


@pytest.mark.parametrize("backend", BESIDE)
def test_closing_does_not_wait_for_trials_that_ask(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (tmp_path / "asks").touch()
        trial.report(1, 1.0)
        return 0.0

    executor = make(backend, objective, asks=True)
    executor.submit(trial(0))
    until((tmp_path / "asks").exists)
    executor.close()

    assert executor.wait(0) == []


@pytest.mark.parametrize("backend", BESIDE)
def test_a_cancelled_trial_is_told_to_stop_and_its_slot_is_free(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (tmp_path / f"asks{trial.number}").touch()
        return reporting(params, trial)

    judge, executor = Judge(), make(backend, objective, asks=True)
    executor.submit(trial(0))
    until((tmp_path / "asks0").exists)
    executor.cancel(trial(0))
    executor.submit(trial(1))

    assert outcomes_of(executor, judge, 1)[1].state is State.COMPLETE
    assert list(judge.seen) == [1]


@pytest.mark.parametrize("backend", BESIDE)
def test_trials_that_ask_all_the_time_do_not_hold_up_the_others(backend: str, make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        step = 0
        while trial.number == 0 and not go.exists():
            trial.report(step := step + 1, 1.0)
        return 0.0

    executor = make(backend, objective, slots=2, asks=True)
    executor.submit(trial(0))
    executor.submit(trial(1))
    first = executor.wait(PATIENCE, Judge())
    assert executor.wait(0.05, Judge()) == []  # nor the timeout
    go.touch()

    assert [outcome.number for outcome in first] == [1]
    assert list(outcomes_of(executor, Judge(), 1)) == [0]


def test_a_worker_that_dies_between_question_and_reply_costs_its_trial_alone(make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.set_tag("pid", str(os.getpid()))
        trial.log_metric("pid", os.getpid())
        trial.report(os.getpid() if params["dies"] else 1, 1.0)
        return 0.0

    def kill(question: Question) -> bool:
        os.kill(question.reports[0].step, signal.SIGKILL)
        return False

    executor = make("loky", objective, asks=True)
    executor.submit(trial(0, dies=True))
    dead = outcomes_of(executor, kill, 1)[0]
    executor.submit(trial(1, dies=False))

    assert (dead.state, dead.reason) == (State.FAILED, "signal:9")
    assert outcomes_of(executor, Judge(), 1)[1].state is State.COMPLETE


def test_the_time_a_trial_waits_for_a_reply_is_not_its_own(make: Make) -> None:
    def slow(question: Question) -> bool:
        time.sleep(1.0)  # longer than the timeout: a driver that is busy, with its store for one
        return False

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.report(1, 1.0)
        if params["hangs"]:
            time.sleep(PATIENCE)
        return 0.0

    executor = make("loky", objective, asks=True, limits=Limits(timeout=0.5))
    executor.submit(trial(0, hangs=False))
    patient = outcomes_of(executor, slow, 1)[0]
    executor.submit(trial(1, hangs=True))

    assert patient.state is State.COMPLETE
    assert outcomes_of(executor, Judge(), 1)[1].reason == "timeout"


def test_a_question_that_a_trial_broke_off_is_not_answered_in_place_of_the_next(make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        def too_late(number: int, frame: object) -> None:
            raise TimeoutError

        signal.signal(signal.SIGALRM, too_late)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            trial.report(1, 1.0)
        except TimeoutError:
            trial.report(2, 2.0)
        return 0.0

    def answer(question: Question) -> bool:
        if question.reports[-1].step == 1:
            time.sleep(0.6)
            return True
        return False

    executor = make("loky", objective, asks=True)
    executor.submit(trial(0))

    assert outcomes_of(executor, answer, 1)[0].state is State.COMPLETE


def test_a_worker_that_asks_dies_with_its_driver(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from hpo.executors.names import make_executor
from hpo.trial import Goal, Trial
def objective(params, trial):
    Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    trial.report(1, 1.0)
    return 0.0
def die(question):
    os.kill(os.getpid(), signal.SIGKILL)
executor = make_executor("loky", slots=1, objective=objective, metric="m", goal=Goal.MINIMIZE, files=None,
                         scratch=Path({str(tmp_path / "scratch")!r}), asks=True)
executor.submit(Trial(0, {{}}, 0))
executor.wait(None, die)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("backend", CLUSTERS)
def test_limits_are_kept_where_the_trial_runs(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        held = bytearray(int(300e6)) if params["takes"] == "memory" else b""
        while params["takes"]:
            time.sleep(0.01)
        return float(len(held))

    kinds = [("time", "timeout", Limits(timeout=1.0)), ("memory", "oom", Limits(memory=250 * 2**20))]

    for takes, reason, limits in kinds:  # not both at once: a busy machine takes more than a second to fill 300 MB
        executor = make(backend, objective, limits=limits)
        outcome = run(executor, trial(0, takes=takes))[0]
        assert (outcome.reason, outcome.state) == (reason, State.FAILED)
        assert run(executor, trial(1, takes=""))[1].state is State.COMPLETE
        executor.close()


def test_the_table_of_names_has_no_backend_that_is_not_tried_here() -> None:
    assert set(EXECUTORS) == {*LOCAL, "dask", "ray"}


def test_an_unknown_backend_is_refused_with_the_known_ones(make: Make) -> None:
    with pytest.raises(ConfigError, match="loky, threading, serial, dask, ray, joblib:NAME, got 'fork'"):
        make("fork", None)


@pytest.mark.parametrize("backend", ["serial", "threading"])
@pytest.mark.parametrize("limits", [Limits(timeout=1.0), Limits(memory=2**30)])
def test_limits_are_refused_where_no_process_can_be_ended(backend: str, limits: Limits, make: Make) -> None:
    with pytest.raises(ConfigError, match=f"backend {backend} cannot end a trial; write backend: loky"):
        make(backend, lambda params, trial: 0.0, limits=limits)


@pytest.mark.parametrize("backend", NAMES)
def test_a_result_that_took_its_time_is_written_down(backend: str, make: Make, tmp_path: Path) -> None:
    results = ResultFolder(tmp_path / "results")
    executor = make(backend, lambda params, trial: time.sleep(float(params["s"])) or 1.5, results=results)

    outcomes = run(executor, trial(3, s=0.15), trial(4, s=0.0))

    assert list(results.adopt([trial(3), trial(4)])) == [outcomes[3]]


def test_the_serial_executor_has_one_slot(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="n_jobs 2"):
        make_executor(
            "serial", slots=2, objective=lambda p, t: 0.0, metric="m", goal=Goal.MINIMIZE, files=None, scratch=tmp_path
        )


def test_ctrl_c_passes_through_the_serial_executor(make: Make) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        signal.raise_signal(signal.SIGINT)
        return 0.0

    executor = make("serial", objective)
    executor.submit(trial(0))

    with pytest.raises(KeyboardInterrupt):
        executor.wait(None)
    assert executor.wait(None) == []


@pytest.mark.parametrize("backend", BESIDE)
def test_trials_run_side_by_side(backend: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (tmp_path / f"here{trial.number}").touch()
        until((tmp_path / f"here{1 - trial.number}").exists)
        return 0.0

    executor = make(backend, objective, slots=2)
    until(lambda: executor.slots == 2)
    outcomes = run(executor, trial(0), trial(1))

    assert {outcome.state for outcome in outcomes.values()} == {State.COMPLETE}


@pytest.mark.parametrize("backend", BESIDE)
def test_waiting_ends_with_its_timeout(backend: str, make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        until(go.exists)
        return 0.0

    executor = make(backend, objective)
    executor.submit(trial(0))
    began = time.monotonic()

    assert executor.wait(0.05) == []
    assert executor.wait(0) == []
    assert 0.05 <= time.monotonic() - began < PATIENCE
    go.touch()
    assert [outcome.number for outcome in executor.wait(PATIENCE)] == [0]


def test_a_cancelled_thread_runs_on_but_the_next_trial_follows(make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        if trial.number == 0:
            until(go.exists)
        return 0.0

    executor = make("threading", objective)
    executor.submit(trial(0))
    executor.cancel(trial(0))
    executor.submit(trial(1))
    assert executor.wait(0) == []
    go.touch()

    assert [outcome.number for outcome in executor.wait(PATIENCE)] == [1]
