"""The sweep that the page is looked at with: instant trials, or such as take a while."""

from pathlib import Path

NAME = "driven"
INSTANT = "def objective(params, trial):\n    return (params['x'] - 0.3) ** 2\n"
SLOW = "import time\n\n\ndef objective(params, trial):\n    time.sleep(0.25)\n    return params['x']\n"
SWEEP = """
version: 1
name: driven
metric: {name: loss, goal: minimize}
objective: {python: "instant:objective"}
parameters: {x: {type: float, low: 0, high: 1}, k: [a, b, c]}
engine: {sampler: random, seed: 1}
budget: {n_trials: TRIALS}
parallel: {n_jobs: 1, backend: serial}
"""


def write_sweep(folder: Path, trials: int, objective: str) -> None:
    """Puts sweep.yaml and its objective into a folder."""
    (folder / "sweep.yaml").write_text(SWEEP.replace("TRIALS", str(trials)))
    (folder / "instant.py").write_text(objective)
