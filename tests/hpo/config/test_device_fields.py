"""`parallel.gpus_per_trial` and `.cpus_per_trial` in a sweep file."""

from pathlib import Path

import pytest

from hpo.config.conversion import config_hash
from hpo.config.reading import read_sweep_text
from hpo.config.schema import Parallel
from hpo.errors import ConfigError, NothingFound
from hpo.search import load, run
from hpo.slots_here import as_far_as_it_fits, slot_count

TEXT = "name: a\nmetric: {name: loss}\nobjective: {python: 'a:b'}\nparameters: {x: [1, 2]}\nbudget: {n_trials: 2}\n"


def parallel(*given: str) -> Parallel:
    overrides = ["parallel.backend=loky", *(f"parallel.{each}" for each in given)]
    return read_sweep_text(TEXT, "sweep.yaml", overrides).parallel


def test_trials_use_as_many_threads_as_processors_where_the_file_is_silent() -> None:
    assert parallel("cpus_per_trial=2").inner_threads == 2
    assert parallel("cpus_per_trial=2", "inner_threads=1").inner_threads == 1
    assert parallel("gpus_per_trial=1").inner_threads == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gpus_per_trial=1.5", "must be whole, or a part of one GPU, got 1.5"),
        ("gpus_per_trial=0.0001", "must be at least 0.001, got 0.0001"),
        ("gpus_per_trial=-1", "parallel.gpus_per_trial: "),
        ("cpus_per_trial=0", "parallel.cpus_per_trial: "),
        ("cpus_per_trial=1.5", "parallel.cpus_per_trial: "),
    ],
)
def test_what_cannot_be_dealt_is_an_error_of_the_file(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.yaml") as raised:
        parallel(given)
    assert message in str(raised.value)


@pytest.mark.parametrize("backend", ["threading", "serial"])
def test_backends_of_one_process_have_no_devices_to_deal(backend: str) -> None:
    with pytest.raises(ConfigError, match=f"parallel.cpus_per_trial: backend {backend} has one process"):
        parallel("cpus_per_trial=1", f"backend={backend}")


def test_clusters_that_deal_no_devices_are_known_from_the_file() -> None:
    with pytest.raises(ConfigError, match=r"parallel\.gpus_per_trial: joblib deals no devices .*; write backend: loky"):
        parallel("gpus_per_trial=1", "backend=joblib:loky")
    with pytest.raises(ConfigError, match=r"parallel\.cpus_per_trial: a local dask cluster .*; name a cluster by"):
        parallel("cpus_per_trial=1", "backend=dask")
    assert parallel("gpus_per_trial=1", "backend=dask", "address=tcp://scheduler:8786").gpus_per_trial == 1


def test_devices_make_no_other_sweep() -> None:
    plain = read_sweep_text(TEXT, "sweep.yaml", [])
    shared = read_sweep_text(TEXT, "sweep.yaml", ["parallel.gpus_per_trial=0.5", "parallel.cpus_per_trial=2"])
    assert config_hash(plain) == config_hash(shared)


def test_one_job_for_as_many_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    everything = ("n_jobs=-1", "window=8")

    assert slot_count(parallel("gpus_per_trial=1", *everything)) == 3
    assert slot_count(parallel("gpus_per_trial=0.5", *everything)) == 6
    assert slot_count(parallel("gpus_per_trial=0.25", *everything)) == 8
    assert slot_count(parallel("gpus_per_trial=1", "n_jobs=2")) == 2
    assert slot_count(parallel("gpus_per_trial=1", "n_jobs=4", "backend=ray", "address=auto")) == 4
    with pytest.raises(ConfigError, match=r"4 trials of 1 GPU need 4 GPUs, found 3"):
        slot_count(parallel("gpus_per_trial=1", "n_jobs=4", "backend=ray"))
    with pytest.raises(ConfigError, match=r"4 trials of 1 GPU need 4 GPUs, found 3 .*; write n_jobs: 3"):
        slot_count(parallel("gpus_per_trial=1", "n_jobs=4"))


def test_a_replay_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    asked = parallel("gpus_per_trial=1", "n_jobs=4")

    assert as_far_as_it_fits(asked).n_jobs == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert as_far_as_it_fits(asked) == asked.model_copy(update={"gpus_per_trial": None})
    assert as_far_as_it_fits(parallel("n_jobs=4")) == parallel("n_jobs=4")


def test_devices_that_are_not_there_are_known_before_a_sweep_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "sweep.yaml").write_text(TEXT.replace("a:b", "operator:length_hint"))
    store = f"sqlite:///{tmp_path}/mlflow.db"

    with pytest.raises(ConfigError, match=r"1 trial of 2 GPUs needs 2 GPUs, found none \(CUDA_VISIBLE_DEVICES is empt"):
        run(tmp_path / "sweep.yaml", overrides=["parallel.gpus_per_trial=2"], tracker=store)
    with pytest.raises(NothingFound):
        load(tracker=store)


def test_one_job_a_core_counts_the_cores_that_a_scheduler_or_container_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm binds a job to its cores, Kubernetes sets a limit; the machine may have a hundred."""
    monkeypatch.setattr("hpo.slots_here.usable_cores", lambda: 3)
    assert slot_count(parallel("n_jobs=-1", "window=8")) == 3
    assert slot_count(parallel("n_jobs=-1", "window=2")) == 2
