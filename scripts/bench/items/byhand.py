"""Item 6: the demo and the taxi sweep, against scripts of the well-known kind: time, lines, and what was recorded."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from environments import ROOT, python_of
from items.found import facts, finished_trials
from items.rounds import Rounds
from items.scale import Scale
from ratios import Comparison, Item, markdown
from turns import command, environment, told

SCRIPTS = ROOT / "scripts" / "bench" / "byhand"
HPO = ROOT / ".venv" / "bin" / "hpo"
LIMIT = 1_200
TEXT = (
    "The same search: as many trials, the same space, folds and metrics, the best judged on the test part and "
    "registered; the scripts are in `scripts/bench/byhand`, written as in the tools' own guides. Seconds are those of "
    "the whole command, imports and a new database included. Optuna has two threads, ours two processes; hyperopt runs "
    "one trial at a time. In the taxi search its forests use both cores."
)


@dataclass(frozen=True)
class Search:
    """One search: its trials, and for each side the command and the files that somebody wrote for it."""

    name: str
    trials: int
    sides: Mapping[str, tuple[Sequence[str], Sequence[Path]]]


def searches() -> list[Search]:
    cancer, taxi = ROOT / "configs" / "breast-cancer.yaml", ROOT / "configs" / "taxi.yaml"
    python, scripts = python_of("ours"), ROOT / "scripts"
    steps = f"'{python}' '{scripts}/search.py' '{taxi}' -n $0 && '{python}' '{scripts}/register.py' taxi"
    return [
        Search("breast cancer", 40, _sides("cancer", [str(HPO), "run", str(cancer), "-q", "-n"], [cancer])),
        Search("taxi", 20, _sides("taxi", ["sh", "-c", steps], [taxi, ROOT / "hpo" / "pipeline" / "taxi.py"])),
    ]


def _sides(name: str, ours: list[str], files: list[Path]) -> dict[str, tuple[list[str], list[Path]]]:
    def script(tool: str) -> tuple[list[str], list[Path]]:
        path = SCRIPTS / f"{name}_{tool}.py"
        return [str(python_of(tool)), str(path)], [path]

    return {
        "ours": (ours, files),
        "Optuna + MLflow": script("optuna"),
        "hyperopt + MLflow": script("hyperopt"),
    }


def measure(scale: Scale) -> Iterator[Item]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        data = Path(name)
        _make_taxi(data, rows=scale.pick(500, 5_000))
        made: list[Comparison] = []
        after: list[str] = []
        for search in searches():
            comparison, left = None, {}
            for comparison, left in _compare(search, data, scale):
                table = f"What is on record afterwards, {search.name}:\n\n{_facts_table(left)}"
                text = "\n\n".join([*after, table])
                yield Item("byhand", "A real search, against scripts by hand", TEXT, [*made, comparison], after=text)
            made += [comparison] if comparison else []
            after += [table] if comparison else []


def _make_taxi(folder: Path, rows: int) -> None:
    python = str(python_of("ours"))
    for words in (
        ["make_taxi_data.py", "--dest", "data/green", "--rows", str(rows * 2)],
        ["preprocess.py", "--raw-data-path", "data/green", "--dest", "data/taxi", "--rows", str(rows)],
    ):
        run = command([python, str(ROOT / "scripts" / words[0]), *words[1:]], folder, LIMIT)
        if run.failure:
            raise SystemExit(f"{words[0]}: {run.failure}\n{run.output}")


def _compare(search: Search, data: Path, scale: Scale) -> Iterator[tuple[Comparison, dict[str, dict[str, str]]]]:
    trials = min(search.trials, 6) if scale.quick else search.trials
    rounds = Rounds(side for side in search.sides if scale.wants(side))
    left: dict[str, dict[str, str]] = {}
    more: dict[str, dict[str, str]] = {}

    def so_far() -> tuple[Comparison, dict[str, dict[str, str]]]:
        name = f"{search.name}, {trials} trials"
        comparison = Comparison(
            name, "s", higher_is_better=False, values=rounds.values, missing=rounds.missing, more=dict(more)
        )
        return comparison, left

    for _ in range(scale.rounds()):
        for side in rounds.sides:
            words, files = search.sides[side]
            with tempfile.TemporaryDirectory(prefix="bench-") as name, told(f"{search.name}: {side}") as say:
                folder = _with_data(Path(name), data)
                run = command([*words, str(trials)], folder, LIMIT)
                say(run.failure)
                rounds.add(side, None if run.failure else run.seconds, run.failure)
                if run.failure:
                    say(f"\n{run.output[-2000:]}")
                else:
                    left[side] = facts(folder)
            lines = " + ".join(str(lines_of(file)) for file in files)
            more[side] = {"CPU s": f"{run.cpu:.0f}", "lines written": lines, "memory MB": f"{run.peak / 1e6:.0f}"}
            yield so_far()
    for side in left:
        with told(f"{search.name}, killed half way: {side}"):
            left[side]["killed half way, started again"] = _killed(search.sides[side][0], trials, data)
        yield so_far()


def _with_data(folder: Path, data: Path) -> Path:
    shutil.copytree(data / "data", folder / "data")
    return folder


def lines_of(path: Path) -> int:
    """Lines that hold something else than a comment or the docstring at the top."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return sum(1 for line in lines if line and not line.startswith(("#", '"""')))


def _killed(words: Sequence[str], trials: int, data: Path) -> str:
    """Kills a search when half of its trials are done, starts the same command again, and counts what is there then."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = _with_data(Path(name), data)
        process = subprocess.Popen(
            [*words, str(trials)], cwd=folder, env=environment(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + LIMIT
        while finished_trials(folder) < trials // 2 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if process.poll() is not None:
            return "over too soon"
        _kill(process)
        before = finished_trials(folder)
        again = command([*words, str(trials)], folder, LIMIT)
        ran = finished_trials(folder) - before
        if again.failure:
            return f"then {again.failure}"
        return f"runs the missing {ran}" if before + ran == trials else f"runs {ran} again, {before} are left over"


def _kill(process: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(below, timeout=10)


def _facts_table(left: Mapping[str, Mapping[str, str]]) -> str:
    names = dict.fromkeys(fact for facts in left.values() for fact in facts)
    return markdown(["", *left], [[fact, *(facts.get(fact, "") for facts in left.values())] for fact in names])
