"""Item 5: how long a command takes to answer, and a search to come to its first trial."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from environments import ENVIRONMENTS, ROOT
from items.scale import Scale
from ratios import Comparison, Item
from turns import Run, ask, command

SWEEP = """
name: first
metric: {name: loss}
objective: {python: "first_objective:objective"}
parameters:
  a: {type: float, low: 0, high: 1}
  b: {type: float, low: 1e-5, high: 1, log: true}
  c: {type: int, low: 1, high: 100}
  d: [x, y, z]
  e: [true, false]
engine: {name: optuna, sampler: tpe}
budget: {n_trials: 2}
parallel: {n_jobs: 1, backend: %s}
"""
OBJECTIVE = """
import time
from pathlib import Path

def objective(params, trial):
    first = Path(__file__).parent / "first"
    first.exists() or first.write_text(str(time.time()))
    return params["a"] + params["b"]
"""
HPO = ROOT / ".venv" / "bin" / "hpo"
LIMIT = 120
Start = Callable[[Path], Run]


def _tool(peer: str, *words: str) -> Start:
    return lambda folder: command([ENVIRONMENTS / peer / "bin" / words[0], *words[1:]], folder, LIMIT)


def _ours(*words: str) -> Start:
    return lambda folder: command([HPO, *words], folder, LIMIT)


def _peer(peer: str, file: str, side: str, **request: object) -> Start:
    return lambda folder: ask(peer, file, "first", limit=LIMIT, folder=folder, side=side, **request)


def _best(word: str) -> Start:
    return _tool("optuna", "optuna", "--storage", "sqlite:///optuna.db", word, "--study-name", "asked")


HELP: dict[str, Start] = {
    "ours": _ours("--help"),
    "optuna": _tool("optuna", "optuna", "--help"),
    "mlflow": _tool("hyperopt", "mlflow", "--help"),
    "ray": _tool("ray", "ray", "--help"),
    "wandb": _tool("wandb", "wandb", "--help"),
}
BEST: dict[str, Start] = {"ours": _ours("best", "first", "-q"), "optuna best-trial": _best("best-trial")}
FIRST: dict[str, Start] = {
    "ours": _ours("run", "sweep.yaml", "-q"),
    "ours, in this process": _ours("run", "serial.yaml", "-q"),
    "Optuna, SQLite": _peer("optuna", "optuna", "sqlite"),
    "Optuna + MLflowCallback": _peer("optuna", "optuna", "mlflow"),
    "hyperopt + mlflow nested": _peer("hyperopt", "hyperopt", "mlflow"),
    "Ray Tune": _peer("ray", "ray", "tune", trials=2),
    "Ray Tune + MLflow": _peer("ray", "ray", "mlflow", trials=2),
    "W&B offline": _peer("wandb", "wandb", "offline", trials=2),
    "Optuna, in memory": _peer("optuna", "optuna", "memory"),
    "hyperopt, bare": _peer("hyperopt", "hyperopt", "bare"),
    "RandomizedSearchCV": _peer("optuna", "sklearn", "random"),
}
LIMITS = ("Optuna, in memory", "hyperopt, bare", "RandomizedSearchCV")
TEXT = (
    "Seconds from the start of a command, or of `python script.py`, until its end, or until the objective is called "
    "for the first time; compiled files in place, every library read before. In the third table a new database is "
    "made on the way, in the fourth it is there from the run before; ours starts a worker process, and in one row "
    "runs its trials in the driver."
)


def measure(scale: Scale) -> Item:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        prepare(folder)
        tables = [
            _whole("--help", HELP, folder, scale),
            _whole("the best trial of 2 (SQLite)", BEST, folder, scale),
            *_first_trials(folder, scale),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Item("start", "Start", TEXT, tables)


def prepare(folder: Path) -> None:
    """Puts sweeps of ours, run once, and a small study of Optuna's into a folder."""
    (folder / "first_objective.py").write_text(OBJECTIVE)
    (folder / "sweep.yaml").write_text(SWEEP % "loky")
    (folder / "serial.yaml").write_text((SWEEP % "serial").replace("name: first", "name: first-serial", 1))
    run = command([HPO, "run", "sweep.yaml", "-q"], folder, LIMIT)
    if run.failure:
        raise SystemExit(f"hpo run {run.failure}: {run.output}")
    ask("optuna", "optuna", "fill", limit=LIMIT, folder=folder, trials=2)


def _whole(name: str, starts: dict[str, Start], folder: Path, scale: Scale) -> Comparison:
    """Commands from start to end; the first round is not counted, it compiles and reads files."""
    values: dict[str, list[float]] = {side: [] for side in starts}
    missing: dict[str, str] = {}
    for at in range(scale.repeat + 1):
        for side, start in starts.items():
            run = start(folder)
            if run.failure:
                missing[side] = run.failure
            elif at:
                values[side].append(run.seconds)
    kept = {side: found for side, found in values.items() if side not in missing}
    return Comparison(name, "s", higher_is_better=False, values=kept, missing=missing)


def _first_trials(folder: Path, scale: Scale) -> list[Comparison]:
    fresh: dict[str, list[float]] = {side: [] for side in FIRST}
    there: dict[str, list[float]] = {side: [] for side in FIRST}
    missing: dict[str, str] = {}
    for at in range(max(scale.repeat, 2)):  # one round less than elsewhere: some peers take half a minute each time
        for side in FIRST:
            with _place(folder) as place:
                for found in (fresh, there):
                    seconds, why = _seconds_to_first(side, place)
                    if why:
                        missing[side] = why
                    elif at:
                        found[side].append(seconds)
                    _rename_sweeps(place)
    return [
        Comparison(name, "s", higher_is_better=False, values=found, limits=LIMITS, missing=missing)
        for name, found in (("first trial, new database", fresh), ("first trial, known database", there))
    ]


def until_first(side: str, folder: Path) -> float:
    """Seconds from a start to the first trial, on a new database."""
    with _place(folder) as place:
        return _seconds_to_first(side, place)[0]


def _seconds_to_first(side: str, place: Path) -> tuple[float, str]:
    """The seconds, and why there are none."""
    noted = place / "first"
    noted.unlink(missing_ok=True)
    run = FIRST[side](place)
    if run.failure or not noted.exists():
        return 0.0, run.failure or "no trial"
    return float(noted.read_text()) - run.began, ""


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[Path]:
    """A folder in which nobody has run anything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for file in ("first_objective.py", "sweep.yaml", "serial.yaml"):
            shutil.copy(folder / file, Path(name) / file)
        yield Path(name)


def _rename_sweeps(place: Path) -> None:
    """The next run of ours shall be another sweep: the same would be shown and not run again."""
    for name in ("sweep.yaml", "serial.yaml"):
        path = place / name
        path.write_text(path.read_text().replace("name: first", "name: again-first", 1))
