"""What a trial's processes use is recorded beside it: at least one point, never too many, never as its own metrics."""

import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo import gpu_metrics, run, system_metrics
from hpo.attempt import run_attempt
from hpo.cli.trial_rows import trials_table, with_columns
from hpo.config.reading import read_sweep_text
from hpo.errors import ConfigError
from hpo.system_metrics import SystemMetrics
from hpo.trial import Goal, Outcome, Trial
from trackers.records import Run, Status

TRIAL = Trial(0, {}, 1)
NAMES = {
    "system/cpu_utilization_percentage",
    "system/process_cpu_percentage",
    "system/process_memory_megabytes",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
}
SWEEP = """
name: used
metric: {{name: loss}}
objective: {{python: "used_objective:objective"}}
parameters: {{x: {{type: float, low: 0, high: 1}}}}
engine: {{name: optuna, sampler: random}}
budget: {{n_trials: 2}}
parallel: {{backend: serial}}
capture: {{system_metrics: {wanted}}}
tracker: {{uri: "sqlite:///{folder}/mlflow.db", artifacts: "{folder}/mlruns"}}
"""


def busy(seconds: float) -> float:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    return 1.0


def sampled(seconds: float, interval: float = 60.0) -> Outcome:
    return SystemMetrics(interval).around(
        TRIAL,
        lambda: run_attempt(lambda *_: busy(seconds), TRIAL, metric="loss", goal=Goal.MINIMIZE, files=None),
    )


def points(outcome: Outcome, name: str) -> list[tuple[int, float]]:
    return [(report.step, report.value) for report in outcome.reports if report.metric == f"system/{name}"]


def test_a_short_trial_has_one_point_of_each_metric_and_its_own_metrics_are_untouched() -> None:
    outcome = sampled(0.05)
    assert {report.metric for report in outcome.reports} == NAMES
    assert len(outcome.reports) == len(NAMES)
    assert outcome.metrics == {"loss": 1.0}
    [(step, cpu)] = points(outcome, "process_cpu_percentage")
    assert step == 0
    assert cpu > 0
    assert 0 <= points(outcome, "cpu_utilization_percentage")[0][1] <= 100
    assert points(outcome, "process_memory_megabytes")[0][1] > 1


def test_a_longer_trial_has_points_on_the_way_in_order() -> None:
    steps = [step for step, _ in points(sampled(0.25, interval=0.02), "process_memory_megabytes")]
    assert steps == list(range(len(steps)))
    assert len(steps) > 1


def test_of_a_long_trial_every_second_point_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_metrics, "MOST", 4)
    samples = system_metrics._Samples()
    for _ in range(9):
        samples.take()
    steps = [report.step for report in samples.reports() if report.metric == "system/process_memory_megabytes"]
    assert len(steps) < 4
    assert steps == sorted(set(steps))
    assert samples.stride == 2 ** (samples.stride.bit_length() - 1) > 1
    assert all(step % (samples.stride // 2) == 0 for step in steps)


def test_the_sampling_ends_with_a_trial_that_fails() -> None:
    def fail() -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SystemMetrics(0.1).around(TRIAL, fail)
    assert not [thread for thread in threading.enumerate() if thread.name == "hpo-system-metrics"]


def test_surroundings_inside_are_called() -> None:
    class Inner:
        def prepare(self, load: object) -> None:
            called.append("prepare")

        def around(self, trial: Trial, run: object) -> Outcome:
            called.append("around")
            return Outcome(0, 1, "COMPLETE")  # type: ignore[arg-type]

    called: list[str] = []
    metrics = SystemMetrics(60.0, Inner())
    metrics.prepare(lambda: None)
    metrics.around(TRIAL, lambda: None)  # type: ignore[arg-type, return-value]
    assert called == ["prepare", "around"]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A stand-in for NVML: machines that run tests seldom have a GPU."""
    module = types.ModuleType("pynvml")
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]

    def fail(_: object) -> None:
        raise RuntimeError("not supported")

    vars(module).update(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=lambda _: types.SimpleNamespace(gpu=40),
        nvmlDeviceGetMemoryInfo=lambda _: types.SimpleNamespace(used=2e9, total=8e9),
        nvmlDeviceGetPowerUsage=fail,
    )
    monkeypatch.setitem(sys.modules, "pynvml", module)
    gpu_metrics._handles.cache_clear()
    yield module
    gpu_metrics._handles.cache_clear()


def test_gpus_tell_what_they_can_under_the_names_that_mlflow_has(nvml: types.ModuleType) -> None:
    assert gpu_metrics.gpu_metrics() == {
        f"gpu_{index}_{name}": value
        for index in (0, 1)
        for name, value in (
            ("utilization_percentage", 40.0),
            ("memory_usage_megabytes", 2000.0),
            ("memory_usage_percentage", 25.0),
        )
    }


def test_a_machine_whose_nvml_does_not_start_has_no_gpu(nvml: types.ModuleType) -> None:
    def fail() -> None:
        raise RuntimeError("no driver")

    vars(nvml)["nvmlInit"] = fail
    assert gpu_metrics.gpu_metrics() == {}


@pytest.mark.parametrize(("wanted", "has"), [("true", True), ("{interval: 5s}", True), ("false", False)])
def test_a_sweep_records_them_where_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, has: bool
) -> None:
    (tmp_path / "used_objective.py").write_text("def objective(params):\n    return params['x']\n")
    (tmp_path / "used.yaml").write_text(SWEEP.format(folder=tmp_path, wanted=wanted))
    monkeypatch.chdir(tmp_path)
    for trial in run("used.yaml").trials():
        assert {name for name in trial.metrics if name.startswith("system/")} == (NAMES if has else set())


def test_an_interval_that_is_too_short_is_refused() -> None:
    text = SWEEP.format(folder=".", wanted="{interval: 0.01}")
    with pytest.raises(ConfigError, match=r"capture\.system_metrics\.interval.*at least 0\.1 seconds, got 0\.01"):
        read_sweep_text(text, "used.yaml")


def test_tables_show_them_where_they_are_chosen() -> None:
    metrics = {"loss": 1.0, "system/process_memory_megabytes": 90.0}
    run_of = Run("a" * 32, "trial-0", "used", Status.FINISHED, 0, 1, "", metrics=metrics)
    table = trials_table([run_of], "loss")
    assert "metrics.loss" in table.columns
    assert not [name for name in table.columns if "system/" in name]
    assert with_columns(table, "system/process_memory_megabytes").columns == ["metrics.system/process_memory_megabytes"]
