"""A sweep whose packages were upgraded afterwards, replayed with those on record: all of it for real, off line."""

import os
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from hpo.provenance.locked_environment import PACKAGES

OBJECTIVE = """
import random
import tiny

def objective(params, trial):
    return params["x"] * random.Random(trial.seed).random() * tiny.FACTOR
"""
SWEEP = """
version: 1
name: small
metric: {name: loss}
objective: {python: "train:objective"}
parameters: {x: {type: float, low: 0.0, high: 1.0}}
engine: {name: optuna, sampler: random, seed: 3}
budget: {n_trials: 4}
parallel: {n_jobs: 2, backend: loky}
"""


class Machine:
    """A Python of its own, with few distributions: `tiny`, and one through which it finds what hpo needs."""

    def __init__(self, folder: Path) -> None:
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.work = folder / "work"
        self.work.mkdir()
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.bin = folder / "venv" / "bin"
        [self.packages] = (folder / "venv").glob("lib/python*/site-packages")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HPO_TRACKER": f"sqlite:///{folder}/mlflow.db",
            "PIP_NO_INDEX": "1",
            "UV_OFFLINE": "1",
        }

    def install(self, name: str, version: str, files: dict[str, str]) -> None:
        """This version instead of any other one; a wheel of it stays to be had."""
        for old in self.packages.glob(f"{name}-*.dist-info/*"):
            old.unlink()
        for folder in self.packages.glob(f"{name}-*.dist-info"):
            folder.rmdir()
        info = f"{name}-{version}.dist-info"
        parts = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        parts[f"{info}/RECORD"] = "".join(f"{part},,\n" for part in [*parts, f"{info}/RECORD"])
        with zipfile.ZipFile(self.wheels / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            for part, text in parts.items():
                archive.writestr(part, text)
            archive.extractall(self.packages)

    def hpo(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(self.bin / "python"), "-c", "from hpo.cli.main import main; main()", *arguments]
        return subprocess.run(command, cwd=self.work, env=self.environment, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """What hpo needs is found without being a distribution, so that the lock need not have it."""
    made = Machine(tmp_path)
    needed = tmp_path / "needed"
    needed.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.endswith((".dist-info", ".pth")):
            (needed / path.name).symlink_to(path)
    for name in ("hpo", "trackers"):
        if not (needed / name).exists():
            (needed / name).symlink_to(PACKAGES / name)
    made.install("everything", "1.0", {"everything.pth": f"{needed}\n"})
    made.install("tiny", "1.5", {"tiny.py": "FACTOR = 1.5\n"})
    (made.work / "train.py").write_text(OBJECTIVE)
    (made.work / "sweep.yaml").write_text(SWEEP)
    return made


@pytest.mark.slow
def test_trials_are_identical_in_the_locked_environment_after_a_package_was_upgraded(machine: Machine) -> None:
    ran = machine.hpo("run", "sweep.yaml")
    assert ran.returncode == 0, ran.stderr
    assert machine.hpo("replay", "small").returncode == 0
    machine.install("tiny", "2.5", {"tiny.py": "FACTOR = 2.5\n"})
    refused = machine.hpo("replay", "small")
    assert refused.returncode == 2, refused.stdout
    assert "package tiny: 1.5 -> 2.5; --env locked makes an environment" in refused.stderr
    named = machine.hpo("replay", "small#1", "--env", "current")
    assert named.returncode == 1
    assert "the first thing that is not as it was: package tiny: 1.5 -> 2.5" in named.stdout
    locked = machine.hpo("replay", "small", "--env", "locked", "--find-links", str(machine.wheels))
    assert locked.returncode == 0, locked.stdout + locked.stderr
    assert locked.stdout.endswith("4 of 4 trials are identical\n")
    assert "package" not in locked.stdout
