"""The scripts of docs/slurm.md: what they do with signals and exit codes, and with a real Slurm where there is one."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/manifests/slurm"
SCRIPTS = sorted([*FOLDER.glob("*.sbatch"), *FOLDER.glob("*.sh")])
PATIENCE = 60.0
HPO = """#!/bin/sh
echo "$@" >> told.txt
trap 'echo term >> told.txt; sleep 0.05; exit 143' TERM
touch started
if [ -e long ]; then while :; do sleep 0.01; done; fi
exit $(cat code)
"""
SCONTROL = """#!/bin/sh
echo "scontrol $@" >> told.txt
"""
SWEEP = """
name: queued
metric: {name: loss}
objective: {python: "slow_objective:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random, seed: 1}
budget: {n_trials: 8}
parallel: {window: 4}
tracker: {uri: "sqlite:///mlflow.db", artifacts: mlruns, log_models: none}
"""
OBJECTIVE = """
import pathlib
import time

HERE = pathlib.Path(__file__).parent


def objective(params, trial):
    with (HERE / "ran.txt").open("a") as ran:
        ran.write(f"{trial.number}\\n")
    while trial.number == 2 and (HERE / "long").exists():
        (HERE / "started").touch()
        time.sleep(0.01)
    return params["x"]
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def start(folder: Path, *words: str, **environment: str) -> "subprocess.Popen[bytes]":
    """The batch script for one node as Slurm starts it, with programs of the folder `bin` before all others."""
    given = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "2", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "SLURM_"))}
    command = ["bash", str(FOLDER / "one-node.sbatch"), "sweep.yaml", *words]
    return subprocess.Popen(command, cwd=folder, env={**kept, **given, **environment}, start_new_session=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_shell_takes_the_script(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.sbatch")), ids=lambda path: path.name)
def test_a_batch_script_is_told_before_its_time_is_over_and_may_be_queued_again(script: Path) -> None:
    options = re.findall(r"^#SBATCH --([^ ]+)$", script.read_text(), re.M)
    assert {"signal=B:TERM@120", "requeue", "open-mode=append"} <= set(options)  # a second run keeps the log


@pytest.mark.parametrize(("code", "again"), [(0, False), (2, False), (3, False), (75, True)])
def test_a_job_is_queued_again_where_that_helps(tmp_path: Path, code: int, *, again: bool) -> None:
    program(tmp_path / "bin/hpo", HPO)
    program(tmp_path / "bin/scontrol", SCONTROL)
    (tmp_path / "code").write_text(str(code))
    assert start(tmp_path).wait(PATIENCE) == code
    told = (tmp_path / "told.txt").read_text().splitlines()
    assert told == ["run -S parallel.n_jobs=2 sweep.yaml", *(["scontrol requeue 7"] if again else [])]


def test_a_job_with_gpus_runs_a_trial_for_each(tmp_path: Path) -> None:
    program(tmp_path / "bin/hpo", HPO)
    (tmp_path / "code").write_text("0")
    done = start(tmp_path, "-S", "parallel.gpus_per_trial=1", SLURM_GPUS_ON_NODE="4")
    assert done.wait(PATIENCE) == 0
    told = (tmp_path / "told.txt").read_text()
    assert told == "run -S parallel.n_jobs=4 sweep.yaml -S parallel.gpus_per_trial=1\n"


def test_the_signal_before_the_end_reaches_the_driver_whose_end_is_awaited(tmp_path: Path) -> None:
    program(tmp_path / "bin/hpo", HPO)
    program(tmp_path / "bin/scontrol", SCONTROL)
    (tmp_path / "long").touch()
    job = start(tmp_path)
    until((tmp_path / "started").exists)
    job.send_signal(signal.SIGTERM)  # to the script alone, as --signal=B: has it
    assert job.wait(PATIENCE) == 143
    assert (tmp_path / "told.txt").read_text().splitlines()[1:] == ["term", "scontrol requeue 7"]


def real_sweep(folder: Path) -> None:
    """A folder with a sweep whose third trial waits while the file `long` is there, and with this `hpo`."""
    (folder / "sweep.yaml").write_text(SWEEP)
    (folder / "slow_objective.py").write_text(OBJECTIVE)
    hpo = f'PYTHONPATH={ROOT} exec {sys.executable} -c "from hpo.cli.main import main; main()" "$@"'
    program(folder / "bin/hpo", f"#!/bin/sh\n{hpo}\n")
    (folder / "long").touch()


def ran(folder: Path) -> list[int]:
    return sorted(int(line) for line in (folder / "ran.txt").read_text().split())


@pytest.mark.slow
def test_a_sweep_that_runs_out_of_time_goes_on_in_the_next_run_of_its_job(tmp_path: Path) -> None:
    real_sweep(tmp_path)
    program(tmp_path / "bin/scontrol", SCONTROL)
    job = start(tmp_path)
    until((tmp_path / "started").exists)
    job.send_signal(signal.SIGTERM)
    assert job.wait(PATIENCE) == 143
    assert (tmp_path / "told.txt").read_text() == "scontrol requeue 7\n"
    (tmp_path / "long").unlink()
    assert start(tmp_path).wait(PATIENCE) == 0
    assert set(ran(tmp_path)) == set(range(8))
    assert [number for number in range(8) if ran(tmp_path).count(number) > 1] == [2]


@pytest.mark.slow
def test_a_real_slurm_runs_the_job_again_where_its_time_was_over(tmp_path: Path) -> None:
    """Where `sbatch` reaches a cluster: it is signalled, queued again, and let run at once by hand."""
    if not shutil.which("sbatch") or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no Slurm can be reached from here")
    real_sweep(tmp_path)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    resources = ["--cpus-per-task=1", "--mem=0", "--time=10", f"--chdir={tmp_path}"]
    command = ["sbatch", "--parsable", *resources, str(FOLDER / "one-node.sbatch"), "sweep.yaml"]
    submitted = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    job = submitted.stdout.strip()

    def state() -> str:
        asked = ["scontrol", "show", "job", job]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    try:
        until((tmp_path / "started").exists)
        subprocess.run(["scancel", "--batch", "--signal=TERM", job], check=True)  # as --signal=B:TERM@120 does
        until(lambda: "Restarts=1" in state() and "JobState=PENDING" in state())
        (tmp_path / "long").unlink()
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)
        until(lambda: "JobState=COMPLETED" in state())
    finally:
        subprocess.run(["scancel", job], check=False)
    assert set(ran(tmp_path)) == set(range(8))


@pytest.mark.slow
def test_dask_jobqueue_writes_a_job_of_encrypted_workers(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    show = f'. "{FOLDER}/dask-tls.sh" && "{sys.executable}" "{FOLDER}/jobqueue.py" sweep.yaml --show'
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-c", show], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --cpus-per-task=16" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "dask_worker" in line]
    assert " tls://" in line
    assert f"--tls-key {tmp_path}/.dask-keys-" in line
    assert line.index("--memory-limit 0") > line.index("--memory-limit ")  # the last one counts


@pytest.mark.slow
def test_a_cluster_with_our_certificate_refuses_whoever_has_none(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    port = sys.modules["postgres_server"].free_port()
    dask = Path(sys.executable).with_name("dask")
    serve = f'. "{FOLDER}/dask-tls.sh" && touch ready && exec "{dask}" scheduler --protocol tls --host 127.0.0.1'
    environment = {**os.environ, "HOME": str(tmp_path)}
    with (tmp_path / "log.txt").open("wb") as log:
        scheduler = subprocess.Popen(
            ["sh", "-c", f"{serve} --port {port} --no-dashboard"],
            cwd=tmp_path, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: b"Scheduler at" in (tmp_path / "log.txt").read_bytes())
        [keys] = tmp_path.glob(".dask-keys-*")
        assert keys.stat().st_mode & 0o777 == 0o700
        assert (keys / "key.pem").stat().st_mode & 0o777 == 0o600
        ask = "import sys; from distributed import Client; Client(sys.argv[1], timeout=5).close(); print('in')"
        words = [sys.executable, "-W", "ignore", "-c", ask]
        certified = {
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": f"{keys}/certificate.pem",
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": f"{keys}/certificate.pem",
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": f"{keys}/key.pem",
        }
        for given, expected in ((certified, "in\n"), ({}, "")):
            address = f"tls://127.0.0.1:{port}"
            done = subprocess.run(
                [*words, address], env={**environment, **given}, capture_output=True, text=True, check=False
            )
            assert done.stdout == expected, done.stderr
        plain = subprocess.run(
            [*words, f"tcp://127.0.0.1:{port}"], env=environment, capture_output=True, text=True, check=False
        )
        assert plain.stdout == ""
    finally:
        scheduler.terminate()
        scheduler.wait(PATIENCE)
    assert distributed.__version__
