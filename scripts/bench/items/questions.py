"""Item 4: best ten, the latest hundred, and a filter, of stores with many trials."""

import shutil
import tempfile
from pathlib import Path

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
    "A side that takes more than {limit} s is not asked for more trials. In turns, of 100,000 trials and more once."
)
WHICH = {
    "first": "the first in a process that has imported its library, to open the store included",
    "later": "the median of the next calls, caches filled; Optuna then has all trials in memory and reads no store",
}


def measure(scale: Scale) -> list[Item]:
    sizes = [1_000] if scale.quick else [1_000, 10_000, 100_000, *([1_000_000] if scale.full else [])]
    limit = scale.pick(10, 20, 120)
    found: dict[tuple[int, str], list[dict[str, dict[str, float]]]] = {}
    slow: dict[str, str] = {}
    for trials in sizes:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            _fill(folder, trials, slow)
            rounds = scale.repeat if trials < 100_000 else 1
            for key in QUESTIONS:
                found[trials, key] = [_answers(folder, key, scale, limit, slow, trials) for _ in range(rounds)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return [_item(which, found, slow, limit) for which in WHICH]


def _fill(folder: Path, trials: int, slow: dict[str, str]) -> None:
    sweep = ask("ours", "ours", "fill", limit=900, folder=folder, trials=trials).answer["sweep"]
    (folder / "sweep").write_text(str(sweep))
    shutil.copy(folder / "mlflow.db", folder / "copy.db")
    if "Optuna, get_trials" not in slow or "Optuna, trials_dataframe" not in slow:
        ask("optuna", "optuna", "fill", limit=900, folder=folder, trials=trials)


def _answers(
    folder: Path, question: str, scale: Scale, limit: int, slow: dict[str, str], trials: int
) -> dict[str, dict[str, float]]:
    answers: dict[str, dict[str, float]] = {}
    for name, (peer, file, side) in SIDES.items():
        if name in slow:
            continue
        run = ask(
            peer, file, "ask", limit=limit, folder=folder, side=side, question=question,
            repeat=scale.pick(1, 5), sweep=(folder / "sweep").read_text(),
            database=str(folder / ("mlflow.db" if peer == "ours" else "copy.db")),
        )  # fmt: skip
        if run.answer:
            answers[name] = dict(run.answer)
        if not run.answer or float(run.answer["first"]) > limit * 1000:
            slow[name] = f"stopped after {trials:,}"
    if question == "best" and {"ours", "MlflowClient"} <= answers.keys():
        same = answers["ours"]["result"] == answers["MlflowClient"]["result"]
        if not same:
            raise SystemExit("ours and MlflowClient name different best trials")
    return answers


def _item(
    which: str, found: dict[tuple[int, str], list[dict[str, dict[str, float]]]], slow: dict[str, str], limit: int
) -> Item:
    comparisons = [
        Comparison(
            f"{trials:,} trials", f"ms, {QUESTIONS[key]}", higher_is_better=False,
            values=_by_side(which, rounds),
            missing={name: why for name, why in slow.items() if name not in _by_side(which, rounds)},
        )
        for key in QUESTIONS
        for (trials, question), rounds in found.items()
        if question == key
    ]  # fmt: skip
    text = TEXT.format(which=WHICH[which], limit=limit)
    return Item(f"questions-{which}", f"Questions, {which} call", text, comparisons, wide=True)


def _by_side(which: str, rounds: list[dict[str, dict[str, float]]]) -> dict[str, list[float]]:
    sides = dict.fromkeys(name for answers in rounds for name in answers)
    return {name: [float(answers[name][which]) for answers in rounds if name in answers] for name in sides}
