"""In a terminal a running sweep is a live panel."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

SWEEP = """
name: slow
metric: {name: loss}
objective: {python: "slow_objective:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 12}
parallel: {n_jobs: 2, backend: threading}
"""
OBJECTIVE = """
import time
def objective(params, trial):
    time.sleep(0.1)  # long enough for the panel, which is drawn four times a second, to be seen
    return params["x"]
"""


def run_in_terminal(folder: Path, *words: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from hpo.cli.main import main; main()", *words]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # how a terminal says that the other side closed it
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)
    return process.wait(timeout=60), seen.decode(errors="replace")


def test_a_terminal_shows_bar_best_and_recent_trials_and_then_the_winner(tmp_path: Path) -> None:
    (tmp_path / "slow_objective.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    code, seen = run_in_terminal(tmp_path, "run", "sweep.yaml")
    assert code == 0, seen
    assert re.search(r"sweep slow  \[#+\.+\] \d+/12", seen)
    assert re.search(r"best loss 0\.\d+ \(#\d+\) .*RUNNING", seen)
    assert re.search(r"trial \d+ COMPLETE loss=", seen)
    assert "sweep slow: 12 trials (12 COMPLETE)" in seen


def test_the_panel_has_at_most_twelve_lines() -> None:
    from hpo.cli.watchers import Panel
    from hpo.progress import Progress
    from hpo.trial import Outcome, State, Trial

    panel = Panel("many", "loss", color=False)
    counts = {**dict.fromkeys(State, 0), State.COMPLETE: 40}
    for number in range(40):
        progress = Progress(counts, 40, 0.5, 3, 1.0)
        outcome = Outcome(number, 1, State.COMPLETE, metrics={"loss": 1.0})
        panel.trial_ended(Trial(number, {"x": "long" * 100}, 0), outcome, progress)
    assert len(panel._lines().plain.splitlines()) <= 12
