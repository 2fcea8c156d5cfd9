"""Item 4: best ten, the latest hundred, and a filter, of stores with many trials."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from items.rounds import Rounds
from items.scale import Scale
from ratios import Comparison, Item
from turns import ask

QUESTIONS = {
    "best": "best 10",
    "list": "latest 100",
    "filter": "filter by a param and a metric, 100",
}
SIDES = {
    "ours": ("ours", "ours", ""),
    "MlflowClient": ("hyperopt", "hyperopt", ""),
    "Optuna, get_trials": ("optuna", "optuna", "trials"),
    "Optuna, trials_dataframe": ("optuna", "optuna", "dataframe"),
}
TEXT = (
    "Milliseconds of one call: {which}. Ours and MlflowClient read the same SQLite file (MLflow a copy, since it "
    "changes what it opens), filled in bulk; Optuna a study of as many trials in its own SQLite tables. Optuna has no "
    "question for the best ten or for a filter: all trials are loaded and sorted here, as its documentation does. "
    "A side that takes more than {limit:g} s is not asked for more trials. In turns, of 100,000 trials and more once."
)
FILLING = 900
WHICH = {
    "first": "the first in a process that has imported its library, to open the store included",
    "later": (
        "the median of the next calls, caches filled; Optuna then has all trials in memory and reads no store; ours, "
        "which answers the very same question from memory until somebody writes (0.02 to 0.1 ms), is asked a little "
        "different one each time, so that only trials it has read before come from memory"
    ),
}


Answers = dict[str, dict[str, object]]


@dataclass
class Kept:
    """The answers by number of trials and question, a round after the other, and why sides are asked no more."""

    rounds: dict[tuple[int, str], list[Answers]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)


def measure(scale: Scale) -> Iterator[Item]:
    sizes = scale.sizes or ([1_000] if scale.quick else [1_000, 10_000, 100_000, *([1_000_000] if scale.full else [])])
    limit = scale.limit or scale.pick(10, 20)
    kept = Kept()
    for trials in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            _fill(folder, trials, kept, scale)
            for key in QUESTIONS:
                answered = kept.rounds.setdefault((trials, key), [])
                for _ in range(scale.rounds(3 if trials < 100_000 else 1)):
                    answered.append({})
                    for side in SIDES:
                        if side not in kept.stopped and scale.wants(side):
                            _answer(folder, key, side, kept, trials, limit=limit, repeat=scale.pick(1, 5))
                            yield from (_item(which, kept, limit) for which in WHICH)


def _fill(folder: Path, trials: int, kept: Kept, scale: Scale) -> None:
    """The stores that are asked; who has none is not asked."""
    run = ask("ours", "ours", "fill", limit=FILLING, hard=FILLING, folder=folder, trials=trials)
    if run.failure:
        kept.stopped |= dict.fromkeys(("ours", "MlflowClient"), f"not filled: {run.failure}")
    else:
        (folder / "sweep").write_text(str(run.answer["sweep"]))
        shutil.copy(folder / "mlflow.db", folder / "copy.db")
    if any(
        side not in kept.stopped and scale.wants(side) for side in ("Optuna, get_trials", "Optuna, trials_dataframe")
    ):
        run = ask("optuna", "optuna", "fill", limit=FILLING, hard=FILLING, folder=folder, trials=trials)
        if run.failure:
            sides = [side for side in SIDES if side.startswith("Optuna")]
            kept.stopped |= dict.fromkeys(sides, f"not filled: {run.failure}")


def _answer(folder: Path, question: str, name: str, kept: Kept, trials: int, *, limit: float, repeat: int) -> None:
    """Asks one side, and no more after this if it took too long."""
    peer, file, side = SIDES[name]
    run = ask(
        peer, file, "ask", limit=limit, folder=folder, side=side, question=question, repeat=repeat,
        sweep=(folder / "sweep").read_text(), database=str(folder / ("mlflow.db" if peer == "ours" else "copy.db")),
    )  # fmt: skip
    if run.failure:
        kept.stopped[name] = run.failure
        return
    answers = kept.rounds[trials, question][-1]
    answers[name] = dict(run.answer)
    if float(str(run.answer["first"])) > limit * 1000:
        kept.stopped[name] = f"stopped after {trials:,}"
    ours = answers.get("ours")
    if question == "best" and name == "MlflowClient" and ours and ours["result"] != run.answer["result"]:
        kept.stopped[name] = "names other trials than ours"
        del answers[name]


def _item(which: str, kept: Kept, limit: float) -> Item:
    comparisons = [_compare(which, trials, key, kept) for key in QUESTIONS for trials, of in kept.rounds if of == key]
    text = TEXT.format(which=WHICH[which], limit=limit)
    return Item(f"questions-{which}", f"Questions, {which} call", text, comparisons, wide=True)


def _compare(which: str, trials: int, question: str, kept: Kept) -> Comparison:
    rounds = Rounds(SIDES)
    for answers in kept.rounds[trials, question]:
        for side in SIDES:
            answer = answers.get(side)
            rounds.add(side, answer and answer[which], kept.stopped.get(side, "not measured"))
    return Comparison(
        f"{trials:,} trials", f"ms, {QUESTIONS[question]}", higher_is_better=False, values=rounds.values,
        missing=rounds.missing,
    )  # fmt: skip
