"""The steps of a flow, called as plain functions: each says what came of it, and may be called again."""

import logging
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hpo import load
from hpo.errors import ConfigError, NothingFound, ObjectiveError, TooManyFailures
from hpo.flows import steps
from hpo.flows.steps import NotRegistered, Request, SweepStopped
from hpo.interruption import Interruption
from trackers.opening import open_store

SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "of_flows:objective"}
parameters: {x: {type: float, low: 0, high: 4}}
engine: {name: optuna, sampler: random, seed: 1}
budget: {n_trials: 3, max_failures: 2}
parallel: {backend: serial}
register: {name: parabola, top: 1, when: "loss <= 100"}
"""
CODE = """
import os, signal, sys, time
def objective(params, trial):
    if os.environ.get("OF_FLOWS") == "fail":
        raise ValueError("as asked")
    if os.environ.get("OF_FLOWS") == "end" and trial.number == 1:
        os.kill(os.getpid(), signal.SIGTERM)
        while not sys.modules["of_flows_ending"].asked:
            time.sleep(0.001)
    if os.environ.get("OF_FLOWS") == "model":
        from sklearn.dummy import DummyRegressor
        trial.log_model(DummyRegressor(strategy="constant", constant=params["x"]).fit([[0.0]], [0.0]))
    return (params["x"] - 1) ** 2

def prepare(path, text):
    with open(path, "w") as file:
        file.write(text)
"""
LOG = logging.getLogger("of_a_flow")
SEARCH_PATH = list(sys.path)


class Terminated(BaseException):
    """What a scheduler raises where the main thread is."""


def _terminate(*_: object) -> None:
    raise Terminated


@pytest.fixture(autouse=True)
def _own_code() -> Iterator[None]:
    yield
    sys.modules.pop("of_flows", None)
    sys.path[:] = SEARCH_PATH


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    (tmp_path / "of_flows.py").write_text(CODE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    return Request(str(tmp_path / "sweep.yaml"), [f"tracker.artifacts={tmp_path}/mlruns"], store)


def changed(request: Request, *overrides: str) -> Request:
    return Request(request.file, [*request.overrides, *overrides], request.tracker)


def test_a_sweep_is_searched_registered_and_promoted_step_by_step_and_again(
    request_: Request, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_FLOWS", "model")
    caplog.set_level(logging.INFO)
    found = steps.search(request_, LOG)
    assert (found["sweep"], found["trials"], found["registered"]) == ("parabola", {"COMPLETE": 3}, None)
    assert found["best_value"] == load("parabola", tracker=request_.tracker).best_value
    assert steps.search(request_, LOG) == found
    made = steps.register(request_, LOG)
    assert made["registered"] == {"name": "parabola", "version": 1, "aliases": ["champion"]}
    assert steps.register(request_, LOG) == made
    for _ in range(2):
        steps.promote(request_, "parabola", 1, "production", LOG)
    with open_store(str(request_.tracker), read_only=True) as store:
        (version,) = store.registry.versions("parabola")
        assert set(version.aliases) == {"champion", "production"}
    assert "# parabola" in steps.report(request_, "parabola")
    said = [record.getMessage() for record in caplog.records if record.name == "of_a_flow"]
    assert sum(line.startswith("trial ") for line in said) == 3
    assert "registered parabola version 1" in said


def test_a_gate_that_refuses_is_an_answer_and_an_error_only_where_that_is_asked_for(request_: Request) -> None:
    request = changed(request_, "register.when=loss < 0")
    steps.search(request, LOG)
    made = steps.register(request, LOG)
    assert made["registered"] is None
    assert "gate when" in str(made["not_registered"])
    with pytest.raises(NotRegistered, match="gate when"):
        steps.register(request, LOG, is_required=True)


def test_a_sweep_without_a_result_is_an_error(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_FLOWS", "fail")
    with pytest.raises(TooManyFailures, match="2 trials failed"):
        steps.search(request_, LOG)
    with pytest.raises(NothingFound, match="finite loss"):
        steps.search(changed(request_, "name=other", "budget.max_failures=9"), LOG)


def test_an_exception_that_a_signal_raises_ends_the_sweep_with_care_first(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = Interruption()
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with monkeypatch.context() as patch:
            patch.setenv("OF_FLOWS", "end")
            patch.setattr(steps, "Interruption", lambda: ending)
            patch.setitem(sys.modules, "of_flows_ending", ending)  # the trial runs until the sweep was asked to end
            with pytest.raises(Terminated):
                steps.search(request_, LOG)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert load("parabola", tracker=request_.tracker).counts() == {"COMPLETE": 2}
    assert steps.search(request_, LOG)["trials"] == {"COMPLETE": 3}


def test_a_sweep_that_somebody_stops_says_so(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Interruption()
    stopped.ask(10.0)
    monkeypatch.setattr(steps, "Interruption", lambda: stopped)
    with pytest.raises(SweepStopped, match="run it again"):
        steps.search(request_, LOG)


def test_what_cannot_be_run_is_said_before_anything_is(request_: Request, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"n_trails.*did you mean 'n_trials'"):
        steps.check(changed(request_, "budget.n_trails=3"))
    with pytest.raises(ConfigError, match="no register: section"):
        steps.check(changed(request_, "register=null"), registers=True)
    assert not (tmp_path / "mlflow.db").exists()


def test_the_users_function_prepares_the_data(request_: Request, tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "data"), "text": "ready"}
    steps.preprocess("of_flows:prepare", options, steps.folders_of([request_.file]), LOG)
    assert (tmp_path / "data").read_text() == "ready"
    with pytest.raises(ObjectiveError, match="of_flows"):
        steps.preprocess("of_flows:prepares", options, steps.folders_of([request_.file]), LOG)


def test_each_scheduled_run_has_a_sweep_of_its_own_in_one_experiment(request_: Request) -> None:
    when = datetime(2026, 5, 1, 3, tzinfo=UTC)
    named, name = steps.named(request_, request_.checked(), "{name}-{date}", when)
    config = named.checked()
    assert (name, config.name, config.experiment_name) == ("parabola-2026-05-01", "parabola-2026-05-01", "parabola")
    assert steps.named(request_, request_.checked(), None, when) == (request_, "parabola")


def test_no_password_goes_to_the_log_of_a_flow(request_: Request, caplog: pytest.LogCaptureFixture) -> None:
    from hpo.flows.run_log import forwarded

    with forwarded(LOG):
        logging.getLogger("trackers").warning("away: postgresql://me:%s@db/x", "hunter22")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "away: postgresql://me:***@db/x"


@pytest.mark.parametrize(
    ("tracker", "said"), [("postgresql://me:hunter22@db/x", 1), ("postgresql://me@db/x", 0), (None, 0)]
)
def test_a_password_among_the_parameters_is_warned_of(
    tracker: str | None, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    steps.warn_of_password(tracker, LOG)
    assert len(caplog.records) == said
    assert "hunter22" not in caplog.text
