"""How good the best trial is: our `auto` and each engine through us against the same engines used bare.

Nine problems (problems.py), several ways of searching (sides.py). A score is 0 where the best known loss was reached
and 1 at the median of random search with the same budget; a row is the mean over problems, with a bootstrap interval
over seeds. Each run goes into --out at once, and runs that stand there are not made again, so it can be run in parts.
`--part asha` measures instead what pruning saves on a network for the digits (pruned_digits.py).

Usage: python scripts/bench/quality.py [--seeds 20] [--problems NAME ..] [--sides NAME ..] [--budgets 15 30 60 120]
       [--jobs 2] [--out FILE] [--tables FOLDER] [--part search|asha|table]
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # a run has one core
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
from problems import PROBLEMS  # noqa: E402
from sides import SIDES  # noqa: E402

RANDOM_RUNS = 400
Key = tuple[str, str, int]
Row = dict[str, object]


def run(problem: str, side: str, seed: int, trials: int, tables: str) -> Row:
    """One search, as the best loss after each trial."""
    made = PROBLEMS[problem](Path(tables))
    losses = SIDES[side](made.space, made.loss, seed, trials)
    return {"problem": problem, "side": side, "seed": seed, "best": np.minimum.accumulate(losses).tolist()}


def references(problem: str, trials: int, tables: str) -> Row:
    """The best loss known, and the median of random search after each trial."""
    made = PROBLEMS[problem](Path(tables))
    runs = [SIDES["random"](made.space, made.loss, 10_000 + seed, trials) for seed in range(RANDOM_RUNS)]
    return {
        "problem": problem,
        "known": made.best,
        "random": np.median(np.minimum.accumulate(runs, axis=1), 0).tolist(),
    }


def read(path: Path) -> tuple[dict[Key, list[float]], dict[str, Row]]:
    runs: dict[Key, list[float]] = {}
    known: dict[str, Row] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        row = json.loads(line)
        if "known" in row:
            known[row["problem"]] = row
        elif "best" in row:
            key = (row["problem"], row["side"], row["seed"])
            runs[key] = max(runs.get(key, []), row["best"], key=len)
    return runs, known


def search(arguments: argparse.Namespace) -> None:
    trials, tables = max(arguments.budgets), arguments.tables
    for name in arguments.problems:
        PROBLEMS[name](Path(tables))  # makes what is to be looked up, once
    runs, known = read(arguments.out)
    with ProcessPoolExecutor(arguments.jobs) as pool, arguments.out.open("a") as out:
        waiting = [
            pool.submit(references, name, trials, tables)
            for name in arguments.problems
            if len(known.get(name, {}).get("random", [])) < trials  # type: ignore[arg-type]
        ]
        waiting += [
            pool.submit(run, name, side, seed, trials, tables)
            for seed in range(arguments.seeds)
            for name in arguments.problems
            for side in arguments.sides
            if len(runs.get((name, side, seed), [])) < trials
        ]
        for future in waiting:
            out.write(json.dumps(future.result()) + "\n")
            out.flush()


def scores(arguments: argparse.Namespace, side: str, budget: int, at: int | None = None) -> np.ndarray:
    """A row for each problem, a column for each seed; `at` scores an earlier trial on the scale of this budget."""
    runs, known = read(arguments.out)
    rows = []
    for name in arguments.problems:
        best, chance = known[name]["known"], known[name]["random"][budget - 1]  # type: ignore[index]
        values = [runs[name, side, seed][(at or budget) - 1] for seed in range(arguments.seeds)]
        rows.append((np.array(values) - best) / (chance - best))
    return np.array(rows)


def interval(found: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """The middle 95 % of the mean over problems, with the seeds of each problem drawn again."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, found.shape[1], (draws, *found.shape))
    means = np.take_along_axis(np.broadcast_to(found, picks.shape), picks, axis=2).mean(axis=(1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def table(arguments: argparse.Namespace) -> None:
    print(f"\n{len(arguments.problems)} problems, {arguments.seeds} seeds; 0 best known, 1 median of random search\n")
    print_table("mean score", arguments.budgets, (
        (side, [_text(scores(arguments, side, budget)) for budget in arguments.budgets]) for side in arguments.sides
    ))  # fmt: skip
    budget = 60 if 60 in arguments.budgets else arguments.budgets[-1]
    print_table(f"at {budget} trials", arguments.sides, (
        (name, [f"{scores(arguments, side, budget)[row].mean():.2f}" for side in arguments.sides])
        for row, name in enumerate(arguments.problems)
    ))  # fmt: skip
    if {"optuna", "ours: auto"} <= set(arguments.sides):
        auto, other = (scores(arguments, side, budget).mean() for side in ("ours: auto", "optuna"))
        early = scores(arguments, "ours: auto", budget, at=budget // 2).mean()
        print(f"auto / optuna at {budget}: {auto / other:.2f}")
        print(f"auto at {budget // 2} on the scale of {budget}: {early:.3f}; optuna at {budget}: {other:.3f}")


def _text(found: np.ndarray) -> str:
    low, high = interval(found)
    return f"{found.mean():.3f} ({low:.3f} - {high:.3f})"


def print_table(title: str, heads: Sequence[object], rows: Iterable[tuple[str, list[str]]]) -> None:
    print(f"| {title} | {' | '.join(map(str, heads))} |")
    print("|---" * (len(heads) + 1) + "|")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["search", "asha", "table"], default="search")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--budgets", nargs="+", type=int, default=[15, 30, 60, 120])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "quality.jsonl")
    parser.add_argument("--tables", default=str(ROOT / "build" / "quality-tables"))
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if arguments.part == "asha":
        import pruned_digits

        pruned_digits.measure(arguments)
        return
    if arguments.part == "search":
        search(arguments)
    table(arguments)


if __name__ == "__main__":
    main()
