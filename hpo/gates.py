"""The gates between "best" and "registered": what each asks of a candidate, and how far that is beyond or short."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpo.config.nearest import did_you_mean
from hpo.config.rules import TIMES, Finding
from hpo.config.schema import SweepConfig
from hpo.constraints_on_record import broken_text, violation_of
from hpo.trial import Goal
from trackers.conditions import And, Comparison, Condition, Key, Kind, Not, Operator, Or
from trackers.errors import FilterError
from trackers.filters import parse_filter
from trackers.matching import matches, value_of
from trackers.records import Run

LATE = ("test_", "seeds_")
"""How metrics begin that are known only after a finalist was run again or judged on the test data."""

_AT_LEAST = (Operator.AT_LEAST, Operator.GREATER)
_AT_MOST = (Operator.AT_MOST, Operator.LESS)


@dataclass(frozen=True)
class Verdict:
    """What one gate says of one trial: `by` is how far it is beyond what is wanted, below 0 how far short of it.

    `by` is None where that is no number. `text` says it for people, without the gate's name.
    """

    gate: str
    passed: bool
    wanted: str
    got: str
    text: str
    by: float | None = None
    trial: int | None = None


def condition_of(when: str) -> Condition:
    """What a `when` asks for; FilterError where it cannot be understood. Bare names are metrics."""
    condition = parse_filter(when, bare_metrics=True)
    if condition is None:
        raise FilterError("a condition must not be empty; write one such as roc_auc >= 0.98")
    return condition


def is_late(condition: Condition) -> bool:
    """Whether a condition asks for what is known only once the finalists were run again, or judged on test data."""
    return any(key.kind is Kind.METRIC and key.name.startswith(LATE) for key in keys_of(condition))


def keys_of(condition: Condition) -> Iterator[Key]:
    """Every key that a condition compares."""
    if isinstance(condition, Comparison):
        yield condition.key
    elif isinstance(condition, Not):
        yield from keys_of(condition.part)
    else:
        for part in condition.parts:
            yield from keys_of(part)


def when_findings(config: SweepConfig) -> Iterator[Finding]:
    """What is wrong with the `when` of a sweep file: its words, or a metric that is known not to be measured."""
    registration, at = config.registration, ("register", "when")
    if registration is None or registration.when is None:
        return
    try:
        condition = condition_of(registration.when)
    except FilterError as error:
        yield Finding(at, str(error).partition("\n")[0])
        return
    measured = measured_by(config)
    for key in keys_of(condition) if measured else ():
        if key.kind is Kind.METRIC and key.name not in measured:
            yield Finding(at, f"'{key.name}' is not measured{_way_out(key.name, measured)}")


def _way_out(name: str, measured: Sequence[str]) -> str:
    if name.startswith("test_") and not any(known.startswith("test_") for known in measured):
        return ": nothing is judged on test data; give objective.sklearn.data.test"
    if name.startswith("seeds_") and not any(known.startswith("seeds_") for known in measured):
        return ": nobody is run again; give seeds"
    shown = [known for known in measured if known.startswith(LATE) == name.startswith(LATE)]
    return f"; there is {', '.join(shown)}{did_you_mean(name, measured)}"


def measured_by(config: SweepConfig) -> Sequence[str]:
    """The metrics a finalist has; none where the sweep file does not tell: a Python objective gives what it likes."""
    if config.objective.sklearn is None or config.registration is None:
        return ()
    settings, wanted = config.objective.sklearn, config.registration
    spread = settings.cv.holdout is None
    own = [*config.scorers, *(f"{name}_std" for name in config.scorers if spread)]
    own += [f"fold_{name}" for name in config.scorers]
    seeds = [f"seeds_{kind}_{name}" for kind in ("mean", "std") for name in config.scorers] if wanted.seeds else []
    is_scored = settings.data.test is not None and wanted.test is not False
    test = (
        [f"test_{name}" for name in config.scorers if name not in TIMES]
        if is_scored or isinstance(wanted.test, str)
        else []
    )
    return [*own, *seeds, *test]


def judge_feasible(run: Run) -> Verdict:
    """Whether a trial satisfies the sweep's constraints on metrics, as it was recorded when it ended."""
    far = violation_of(run)
    said = "satisfies the constraints" if far == 0 else f"violates {broken_text(run)}"
    wanted = "the constraints of the sweep file"
    by = -far if math.isfinite(far) else None
    return Verdict("feasible", far == 0, wanted, f"violation {far:.6g}", said, by, number_of(run))


def judge_when(when: str, run: Run) -> Verdict:
    """Whether what is on record of a trial is what a condition asks for."""
    condition = condition_of(when)
    seen = ", ".join(dict.fromkeys(f"{key.name} {_shown(value_of(key, run))}" for key in keys_of(condition)))
    if matches(condition, run):
        return Verdict("when", True, when, seen, f"{seen}, wanted {when}", trial=number_of(run))
    missing = list(_missing(condition, run))
    distances = [distance for _, distance in missing]
    text = "; ".join(text for text, _ in missing) or f"{seen}, wanted {when}"
    return Verdict("when", False, when, seen, text, distances[0] if len(distances) == 1 else None, number_of(run))


def judge_seeds(run: Run, metric: str, count: int, failure: str) -> Verdict:
    """Whether a trial could be run again with other seeds; what came of it is on its record."""
    wanted = f"{count} re-runs with other seeds"
    if failure:
        return Verdict("seeds", False, wanted, failure, failure, trial=number_of(run))
    mean, spread = run.metrics[f"seeds_mean_{metric}"], run.metrics[f"seeds_std_{metric}"]
    same = ", the same each time: seeds change nothing here" if spread == 0 else ""
    got = f"{metric} {mean:.6g} ± {spread:.2g}"
    return Verdict("seeds", True, wanted, got, f"{wanted} gave {got}{same}", trial=number_of(run))


def judge_test(run: Run, metric: str, failure: str) -> Verdict:
    """Whether a trial could be judged on the test data."""
    wanted = "a score on the held-out test data"
    if failure:
        return Verdict(
            "test", False, wanted, failure, f"cannot be scored on the test data: {failure}", None, number_of(run)
        )
    got = f"test_{metric} {run.metrics[f'test_{metric}']:.6g}"
    return Verdict("test", True, wanted, got, f"{got} on the held-out test data", trial=number_of(run))


def judge_better(
    ours: float, theirs: float, *, metric: str, goal: Goal, margin: float, holder: str, trial: int | None
) -> Verdict:
    """Whether one score beats another, in the goal's direction, by the margin at least; equal scores never do."""
    gain = ours - theirs if goal is Goal.MAXIMIZE else theirs - ours
    passed = gain > 0 and (gain >= margin or math.isclose(gain, margin, rel_tol=1e-9))
    by_margin = f" by {margin:g} or more" if margin else ""
    if passed:
        text = f"{metric} {ours:.6g} beats {holder} ({theirs:.6g}) by {gain:.3g}, margin {margin:g}"
    elif gain == 0:
        text = f"{metric} {ours:.6g} is no better than {holder}, which has the same" + (
            f"; margin {margin:g}" * bool(margin)
        )
    else:
        short = margin - gain
        of_what = f"the margin {margin:g}" if margin else "it"
        text = f"{metric} {ours:.6g} against {theirs:.6g} of {holder}, {short:.3g} short of {of_what}"
    wanted = f"{metric} better than {theirs:.6g} of {holder}{by_margin}"
    return Verdict("better_than", passed, wanted, f"{ours:.6g}", text, gain - margin, trial)


def number_of(run: Run) -> int | None:
    """The number of a trial."""
    return run.trial.number if run.trial else None


def _missing(condition: Condition, run: Run) -> Iterator[tuple[str, float | None]]:
    """What keeps a condition from being true, each with how far it is from it, below 0."""
    if matches(condition, run):
        return
    if isinstance(condition, And | Or):
        for part in condition.parts:
            yield from _missing(part, run)
    elif isinstance(condition, Comparison):
        yield _distance(condition, run)


def _distance(comparison: Comparison, run: Run) -> tuple[str, float | None]:
    name, value = comparison.key.name, value_of(comparison.key, run)
    if value is None:
        return f"{name} is not on record", None
    wanted = comparison.values[0] if comparison.values else None
    if isinstance(value, str) or wanted is None or isinstance(wanted, str):
        listed = ", ".join(map(str, comparison.values))
        return f"{name} is {_shown(value)}, wanted {comparison.operator} {listed}".rstrip(), None
    far = abs(value - wanted)
    if comparison.operator in _AT_LEAST and far:
        return f"{name} {value:.6g} is {far:.3g} short of {wanted:g}", -far
    if comparison.operator in _AT_MOST and far:
        return f"{name} {value:.6g} is {far:.3g} above {wanted:g}", -far
    return f"{name} is {_shown(value)}, wanted {comparison.operator} {wanted:g}", -far


def _shown(value: float | str | None) -> str:
    if value is None:
        return "(not on record)"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
