"""Item 5: how long a command takes to answer, and a search to come to its first trial."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from environments import ENVIRONMENTS, ROOT
from items.rounds import Rounds
from items.scale import Scale
from ratios import Comparison, Item
from sweep_text import sweep_text
from turns import Run, ask, command, told

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
BEST_OF = "the best trial of 2 (SQLite)"
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


def measure(scale: Scale) -> Iterator[Item]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    made: list[Comparison] = []
    try:
        prepare(folder)
        for part in (
            _whole("--help", HELP, folder, scale),
            _whole(BEST_OF, BEST, folder, scale),
            _first(folder, scale),
        ):
            tables: list[Comparison] = []
            for tables in part:
                yield Item("start", "Start", TEXT, [*made, *tables])
            made += tables
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(folder: Path) -> None:
    """Puts sweeps of ours, run once, and a small study of Optuna's into a folder."""
    (folder / "first_objective.py").write_text(OBJECTIVE)
    (folder / "sweep.yaml").write_text(_sweep("first", "loky"))
    (folder / "serial.yaml").write_text(_sweep("first-serial", "serial"))
    run = command([HPO, "run", "sweep.yaml", "-q"], folder, LIMIT)
    if run.failure:
        raise SystemExit(f"hpo run {run.failure}: {run.output}")
    ask("optuna", "optuna", "fill", limit=LIMIT, folder=folder, trials=2)


def _sweep(name: str, backend: str) -> str:
    return sweep_text(name, objective="first_objective:objective", sampler="tpe", trials=2, backend=backend)


def _whole(name: str, starts: dict[str, Start], folder: Path, scale: Scale) -> Iterator[list[Comparison]]:
    """Commands from start to end; the first round is not counted, it compiles and reads files."""
    rounds = Rounds(side for side in starts if scale.wants(side))
    for at in range(scale.rounds() + 1):
        for side in rounds.sides:
            with told(f"{name}: {side}") as say:
                run = starts[side](folder)
                say(run.failure)
            if at or run.failure:
                rounds.add(side, None if run.failure else run.seconds, run.failure)
                yield [_comparison(name, rounds)]


def _comparison(name: str, rounds: Rounds) -> Comparison:
    return Comparison(name, "s", higher_is_better=False, values=rounds.values, limits=LIMITS, missing=rounds.missing)


def _first(folder: Path, scale: Scale) -> Iterator[list[Comparison]]:
    """On a new database and on a known one; one round less than elsewhere: some peers take half a minute each time."""
    sides = [side for side in FIRST if scale.wants(side)]
    fresh, there = Rounds(sides), Rounds(sides)
    for at in range(max(scale.rounds(), 2)):
        for side in sides:
            with _place(folder) as place:
                for found in (fresh, there):
                    with told(f"first trial: {side}") as say:
                        seconds, why = _seconds_to_first(side, place)
                        say(why)
                    if at or why:
                        found.add(side, None if why else seconds, why)
                    _rename_sweeps(place)
            yield [
                _comparison(f"first trial, {name} database", found)
                for name, found in (("new", fresh), ("known", there))
            ]


def until_first(side: str, folder: Path) -> tuple[float, str]:
    """Seconds from a start to the first trial, on a new database, and why there are none."""
    with _place(folder) as place:
        return _seconds_to_first(side, place)


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
