"""The documented ways to run sweeps by a clock, run as they stand: the steps of a CI job, the line of a crontab."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hpo import load
from trackers.opening import open_store
from trackers.records import Query

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / "docs" / "examples" / "sweep.yml"
SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "parabola:objective"}
parameters: {x: {type: float, low: 0, high: 4}}
engine: {name: optuna, sampler: random, seed: 1}
budget: {n_trials: 4}
parallel: {backend: serial}
"""
CODE = """
import os, pathlib, signal
def objective(params, trial):
    once = pathlib.Path("once")
    if trial.number == 1 and "TIME_IS_UP" in os.environ and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return (params["x"] - 1) ** 2
"""
GH = '#!/bin/sh\necho "$@" >> "$GH_SAID"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout, and a program that stands for GitHub's."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    (tmp_path / "parabola.py").write_text(CODE)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    programs = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**kept, "PATH": os.pathsep.join(programs), "PYTHONPATH": str(ROOT), **more}


class Job:
    """Runs the `run:` steps of the workflow as a runner does, as far as their conditions ask for them."""

    def __init__(self, folder: Path, inputs: Mapping[str, str]) -> None:
        self.folder = folder
        self.inputs = inputs
        self.workflow: dict[str, Any] = YAML(typ="safe").load(WORKFLOW.read_text())
        self.outputs: dict[str, str] = {}
        self.said = ""

    def run(self, **more: str) -> int:
        """The exit code of the first step that fails, and then only what runs always."""
        code = 0
        for step in self.workflow["jobs"]["sweep"]["steps"]:
            if "run" not in step or step["name"] == "Install" or not self._is_wanted(step.get("if"), code):
                continue
            code = code or self._step(step, more)
        return code

    def _is_wanted(self, condition: str | None, code: int) -> bool:
        parts = (condition or "success()").split(" && ")
        if code and "always()" not in parts:
            return False
        return all(self._holds(part) for part in parts if part not in ("always()", "success()"))

    def _holds(self, part: str) -> bool:
        found = re.fullmatch(r"steps\.search\.outputs\.(\w+) (==|!=) '(.*)'", part)
        assert found, part
        return (self.outputs.get(found[1], "") == found[3]) is (found[2] == "==")

    def _step(self, step: Mapping[str, Any], more: Mapping[str, str]) -> int:
        values = {**self.workflow["env"], **step.get("env", {})}
        output = self.folder / "github_output"
        output.write_text("")
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]], cwd=self.folder, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(
                self.folder,
                GITHUB_OUTPUT=str(output),
                GITHUB_STEP_SUMMARY=str(self.folder / "summary.md"),
                GITHUB_REF_NAME="main",
                GH_SAID=str(self.folder / "gh_said"),
                **{name: self._value(text) for name, text in values.items()},
                **more,
            ),
        )  # fmt: skip
        self.said += done.stdout
        self.outputs |= dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done.returncode

    def _value(self, text: str) -> str:
        found = re.fullmatch(r"\$\{\{ (.*) \}\}", text)
        if not found:
            return text
        known = {f"steps.search.outputs.{name}": value for name, value in self.outputs.items()}
        known |= {f"inputs.{name}": value for name, value in self.inputs.items()} | {"github.token": "token"}
        name, _, default = found[1].partition(" || ")
        return known.get(name, "") or default.strip("'")


@pytest.mark.slow
def test_the_ci_job_goes_on_in_another_job_when_its_time_is_up_and_ends_with_a_report(folder: Path) -> None:
    first = Job(folder, {})
    assert first.run(TIME_IS_UP="yes") == 0, first.said
    sweep = first.outputs["sweep"]
    assert first.outputs["state"] == "unfinished"
    said = (folder / "gh_said").read_text()
    assert said == f"workflow run sweep.yml --ref main -f sweep={sweep} -f round=1\n"
    second = Job(folder, {"sweep": sweep, "round": "1"})
    assert second.run(TIME_IS_UP="yes") == 0, second.said
    assert second.outputs["state"] == "done"
    assert (folder / "gh_said").read_text() == said
    store = f"sqlite:///{folder}/store/mlflow.db"
    assert load(sweep, tracker=store).counts() == {"COMPLETE": 4}
    assert f"# {sweep}" in (folder / "summary.md").read_text()
    assert "<html" in (folder / "report.html").read_text()
    assert not (folder / "mlruns").exists()  # all that is to be kept lies in one folder


@pytest.mark.slow
def test_the_ci_job_fails_where_a_person_is_needed_and_does_not_go_round_for_ever(folder: Path) -> None:
    last = Job(folder, {"sweep": "nightly", "round": "20"})
    assert last.run(TIME_IS_UP="yes") == 1
    assert "not done after 20 jobs" in last.said
    assert not (folder / "gh_said").exists()
    (folder / "sweep.yaml").write_text(SWEEP.replace("n_trials", "n_trails"))
    wrong = Job(folder, {})
    assert wrong.run() == 2
    assert "did you mean 'n_trials'" in wrong.said


@pytest.mark.slow
def test_the_lines_of_the_crontab_run_and_running_them_again_changes_nothing(folder: Path) -> None:
    text = (ROOT / "docs" / "flows.md").read_text()
    nightly, again = re.findall(r"^(?:\S+ ){5} *(cd /srv/sweeps .*)$", text, re.M)
    virtual = folder / ".venv" / "bin"
    virtual.mkdir(parents=True)
    hpo = shutil.which("hpo", path=str(Path(sys.executable).parent))
    assert hpo is not None
    (virtual / "hpo").symlink_to(hpo)
    for line in (nightly, nightly, again):
        command = line.replace("/srv/sweeps", str(folder)).replace(r"\%", "%")  # cron takes % for a line's end
        done = subprocess.run(["sh", "-c", command], env=environment(folder), cwd="/", check=False)
        assert done.returncode == 0, (folder / "nightly.log").read_text()
    with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
        (sweep,) = store.tracker.find(Query(sweeps=True))
        assert len(store.tracker.find(Query(parent=sweep.id))) == 4
