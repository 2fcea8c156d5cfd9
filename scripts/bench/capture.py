"""What capturing costs: of the code alone, of a whole sweep with and without it, and of each trial.

Made here and measured in the same minute, against `capture: {code: false, diff: false, environment: false}`:

    python scripts/bench/capture.py --files 5000
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hpo.provenance.code import CodeSettings
from hpo.provenance.code_capture import captured_code
from hpo.provenance.environment import captured_environment
from hpo.search import run

OBJECTIVE = "def run(params, trial):\n    return params['x'] ** 2\n"
SWEEP = """\
name: bench
metric: {{name: loss}}
objective: {{python: "train:run"}}
parameters: {{x: {{type: float, low: 0, high: 1}}}}
engine: {{name: optuna, sampler: random}}
budget: {{n_trials: {trials}}}
parallel: {{backend: serial}}
capture: {capture}
"""
Spent = tuple[float, float]
OFF = "{code: false, diff: false, environment: false}"


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000, help="tracked files in the repository")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--trials", type=int, default=200, help="trials of the longer sweeps")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        repository = Path(scratch, "work")
        make_repository(repository, given.files)
        os.chdir(repository)
        measure_parts(repository, given.rounds)
        make_dirty(repository)
        measure_parts(repository, given.rounds, note="20 changed, 50 untracked source files")
        measure_sweeps(repository, given.rounds, given.trials)


def make_repository(root: Path, files: int) -> None:
    """A repository with that many files of code, 20 lines each, in folders of 50."""
    body = "".join(f"value_{line} = {line}\n" for line in range(20))
    for number in range(files):
        path = root / f"package_{number // 50}" / f"module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NUMBER = {number}\n{body}")
    (root / "train.py").write_text(OBJECTIVE)
    (root / ".gitignore").write_text("mlruns/\n*.db*\n*.yaml\n__pycache__/\n")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=one"]):
        author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        subprocess.run(["git", "-C", str(root), *author, *arguments], check=True)


def make_dirty(root: Path) -> None:
    """Changes 20 files, and adds 50 that are in no commit."""
    for number in range(20):
        path = root / f"package_{number}" / f"module_{number * 50}.py"
        path.write_text(path.read_text() + "more = 1\n")
    (root / "new").mkdir()
    for number in range(50):
        (root / "new" / f"fresh_{number}.py").write_text("".join(f"x_{line} = {line}\n" for line in range(100)))


def measure_parts(root: Path, rounds: int, note: str = "clean") -> None:
    """Code and environment for themselves."""
    modules = [root / "train.py"]
    show(f"code ({note})", rounds, lambda: captured_code(root, root, modules, CodeSettings()))
    show("environment", rounds, lambda: captured_environment((), os.environ))


def measure_sweeps(root: Path, rounds: int, trials: int) -> None:
    """Whole sweeps of 1 and of many trials, in turns with and without capture."""
    seconds: dict[tuple[str, int], list[Spent]] = {}
    for number in range(rounds):
        for count in (1, trials):
            for name, capture in (("with", "{}"), ("without", OFF)):
                (root / "sweep.yaml").write_text(SWEEP.format(trials=count, capture=capture))
                began = spent()
                run("sweep.yaml", tracker=f"sqlite:///{name}-{count}-{number}.db")
                used = [after - before for before, after in zip(began, spent(), strict=True)]
                seconds.setdefault((name, count), []).append((used[0], used[1]))
    for (name, count), values in seconds.items():
        print(f"sweep of {count} trials {name} capture: {_middle(values, 0):.1f} ms")
    for index, of in enumerate(("time", "processor time, git's included")):
        middle = {key: _middle(values, index) for key, values in seconds.items()}
        once = middle["with", 1] - middle["without", 1]
        each = (middle["with", trials] - middle["without", trials] - once) / (trials - 1)
        print(f"capture costs, in {of}: {once:.1f} ms a sweep (at most 150), {each:.3f} ms a trial (at most 1)")


def spent() -> Spent:
    """Seconds by the clock, and of processors, where what else runs here does not count, but git does."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


def _middle(values: Sequence[Spent], index: int) -> float:
    return statistics.median(value[index] for value in values) * 1000


def show(name: str, rounds: int, work: Callable[[], object]) -> None:
    """Prints the median and the worst of several rounds, after one that does not count."""
    work()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    print(f"{name}: {statistics.median(seconds) * 1000:.1f} ms, at most {max(seconds) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
