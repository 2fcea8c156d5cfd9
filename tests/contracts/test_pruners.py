"""What every pruner promises, over the table of names: optuna's own decisions, and the same ones always."""

import math
import random
import warnings
from collections.abc import Callable, Mapping

import optuna
import pytest

from hpo.errors import EngineError
from hpo.pruner import Pruner
from hpo.pruners.names import PRUNERS, make_pruner
from hpo.pruners.optuna_rules import Rule
from hpo.trial import Curve, Goal, Result, State, Trial, curve

SEED = 11
TRIALS = 40
CASES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "median": ("median", {"n_startup_trials": 3}),
    "median with everything": (
        "median", {"n_startup_trials": 2, "n_warmup_steps": 2, "interval_steps": 3, "n_min_trials": 2},
    ),
    "percentile": ("percentile", {"percentile": 25, "n_startup_trials": 4}),
    "asha": ("asha", {"min_resource": 1, "reduction_factor": 2}),
    "asha that measures": ("asha", {}),
    "asha with everything": (
        "asha", {"min_resource": 2, "reduction_factor": 3, "min_early_stopping_rate": 1, "bootstrap_count": 2},
    ),
    "hyperband": ("hyperband", {"min_resource": 1, "max_resource": 9, "reduction_factor": 3}),
    "hyperband that measures": ("hyperband", {}),
    "patient": ("patient", {"patience": 2, "of": "median"}),
    "patient alone": ("patient", {"patience": 1, "min_delta": 0.05}),
    "patient halving": (
        "patient", {"patience": 0, "of": {"name": "asha", "options": {"min_resource": 1, "reduction_factor": 2}}},
    ),
    "threshold": ("threshold", {"lower": -0.8, "upper": 0.8, "n_warmup_steps": 2}),
    "wilcoxon": ("wilcoxon", {"p_threshold": 0.3, "n_startup_steps": 2}),
}  # fmt: skip
Curves = list[list[tuple[int, float]]]
Decisions = dict[int, int]
"""The step at which each pruned trial was stopped."""


def make(case: str, *, goal: Goal = Goal.MINIMIZE, window: int | None = 1) -> Pruner:
    name, options = CASES[case]
    return make_pruner(name, goal=goal, seed=SEED, window=window, options=options)


def curves(seed: int, *, odd: bool = False) -> Curves:
    """Learning curves that cross; odd ones have NaN, gaps, and lengths of their own."""
    draw = random.Random(seed)
    made: Curves = []
    for _ in range(TRIALS):
        level, speed = draw.uniform(0, 1), draw.uniform(0.1, 1)
        steps = range(1, 13) if not odd else sorted(draw.sample(range(14), draw.randint(1, 12)))
        values = [(step, level + math.exp(-speed * step) + draw.gauss(0, 0.05)) for step in steps]
        if odd:
            values = [(step, draw.choice([math.nan, math.inf]) if draw.random() < 0.1 else v) for step, v in values]
        made.append(values)
    return made


def result_of(number: int, reported: Curve, *, is_pruned: bool) -> Result:
    if is_pruned:
        return Result(State.PRUNED, None, "", reported)
    last = list(reported.values())[-1]
    if number % 9 == 5 or not math.isfinite(last):
        return Result(State.FAILED, None, "exception", reported)
    return Result(State.COMPLETE, last, "", reported)


def bare(case: str, goal: Goal, made: Curves) -> Decisions:
    """The decisions of optuna's own pruner in a study of optuna's."""
    name, options = CASES[case]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruned: Decisions = {}
    with warnings.catch_warnings(action="ignore"):
        study = optuna.create_study(
            study_name=f"hpo-{SEED}",
            direction=goal.value,
            pruner=Rule.of(name, options).make(),
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        for number, values in enumerate(made):
            trial = study.ask()
            reported: dict[int, float] = {}
            for step, value in values:
                trial.report(value, step)
                reported[step] = value
                if trial.should_prune():
                    pruned[number] = step
                    break
            result = result_of(number, reported, is_pruned=number in pruned)
            state = {State.PRUNED: "PRUNED", State.FAILED: "FAIL", State.COMPLETE: "COMPLETE"}[result.state]
            study.tell(trial, result.value, state=optuna.trial.TrialState[state])
    return pruned


def sequential(pruner: Pruner, made: Curves) -> Decisions:
    return swept(pruner, made, window=1, slots=1, timing=0)


def swept(
    pruner: Pruner,
    made: Curves,
    *,
    window: int,
    slots: int,
    timing: int,
    resume: tuple[int, Callable[[], Pruner]] | None = None,
) -> Decisions:
    """A sweep whose trials report in turns that `timing` draws; with `resume` its driver is replaced at that turn."""
    draw, turn = random.Random(timing), 0
    running: dict[int, list[tuple[int, float]]] = {}
    ended: dict[int, Result] = {}
    pruned: Decisions = {}
    begun = told = 0
    while begun < len(made) or running:
        while begun < len(made) and len(running) < slots and all(n in ended for n in range(begun - window + 1)):
            while told <= begun - window:
                pruner.tell(Trial(told, {}, 0), ended[told])
                told += 1
            running[begun] = []
            begun += 1
        number = draw.choice(sorted(running))
        seen = running[number]
        seen.append(made[number][len(seen)])
        turn += 1
        if resume is not None and turn == resume[0]:
            pruner, told = resume[1](), 0
            while told <= begun - 1 - window:  # what the last one that began may know
                pruner.tell(Trial(told, {}, 0), ended[told])
                told += 1
            running = {number: [] for number in running}  # they run again
            continue
        reported = curve(seen)
        if pruner.should_prune(Trial(number, {}, 0), reported):
            pruned[number] = seen[-1][0]
        if number in pruned or len(seen) == len(made[number]):
            ended[number] = result_of(number, reported, is_pruned=number in pruned)
            del running[number]
    return pruned


def test_every_rule_has_a_case() -> None:
    assert {name for name, _ in CASES.values()} == set(PRUNERS)


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("case", CASES)
def test_decisions_are_those_of_optuna_itself(case: str, goal: Goal) -> None:
    decided = 0
    for seed in range(3):
        sign = 1 if goal is Goal.MINIMIZE else -1
        made = [[(step, sign * value) for step, value in values] for values in curves(seed)]
        expected = bare(case, goal, made)
        assert sequential(make(case, goal=goal), made) == expected
        decided += len(expected)
    assert 0 < decided < 3 * TRIALS  # else nothing was compared


@pytest.mark.parametrize("case", CASES)
def test_decisions_are_those_of_optuna_itself_for_odd_curves_too(case: str) -> None:
    for seed in range(3):
        made = curves(seed, odd=True)
        assert sequential(make(case), made) == bare(case, Goal.MINIMIZE, made)


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_trials_are_pruned_at_the_same_steps_whatever_the_timing(case: str, odd: bool) -> None:
    made = curves(5, odd=odd)
    golden = swept(make(case, window=4), made, window=4, slots=1, timing=0)
    for slots, timing in ((2, 1), (4, 2), (4, 3)):
        assert swept(make(case, window=4), made, window=4, slots=slots, timing=timing) == golden


@pytest.mark.parametrize("case", CASES)
def test_a_fresh_pruner_that_is_told_the_history_goes_on_alike(case: str) -> None:
    made = curves(7)
    golden = swept(make(case, window=3), made, window=3, slots=1, timing=0)
    for turn in (9, 60, 130):
        again = (turn, lambda: make(case, window=3))
        assert swept(make(case, window=3), made, window=3, slots=3, timing=turn, resume=again) == golden


@pytest.mark.parametrize("case", CASES)
def test_trials_that_a_trial_may_not_know_change_nothing(case: str) -> None:
    made = [curve(values) for values in curves(3)]
    few, all_of_them = make(case, window=4), make(case, window=4)
    for number, reported in enumerate(made[:-1]):
        result = result_of(number, reported, is_pruned=number % 3 == 1)
        for pruner in (few, all_of_them) if number <= 20 else (all_of_them,):
            pruner.tell(Trial(number, {}, 0), result)
    for reported in made:
        assert few.should_prune(Trial(24, {}, 0), reported) == all_of_them.should_prune(Trial(24, {}, 0), reported)


@pytest.mark.parametrize("case", CASES)
def test_asking_twice_or_in_between_changes_nothing(case: str) -> None:
    made = curves(2)
    golden = sequential(make(case), made)
    pruner = make(case)
    for number, values in enumerate(made):
        last = golden.get(number, values[-1][0])
        for end in range(1, len(values) + 1):
            for _ in range(2):
                assert pruner.should_prune(Trial(number, {}, 0), curve(values[:end])) == (
                    values[end - 1][0] == last
                ) or (number not in golden)
            if values[end - 1][0] == last:
                break
        reported = curve(values[:end])
        pruner.tell(Trial(number, {}, 0), result_of(number, reported, is_pruned=number in golden))


@pytest.mark.parametrize("case", CASES)
def test_another_attempt_starts_anew(case: str) -> None:
    made = [curve(values) for values in curves(4)]
    fresh, used = make(case), make(case)
    for number, reported in enumerate(made[:20]):
        for pruner in (fresh, used):
            pruner.tell(Trial(number, {}, 0), result_of(number, reported, is_pruned=False))
    used.should_prune(Trial(20, {}, 0), made[30])  # its worker was lost then
    for end in range(1, 13):
        reported = dict(list(made[20].items())[:end])
        second = Trial(20, {}, 0, attempt=2)
        assert used.should_prune(second, reported) == fresh.should_prune(second, reported)


@pytest.mark.parametrize("case", ["asha", "hyperband", "median", "wilcoxon"])
def test_steps_count_in_ascending_order_whichever_way_they_were_reported(case: str) -> None:
    made = curves(6)
    one, other = make(case), make(case)
    for number, values in enumerate(made[:-1]):
        shuffled = random.Random(number).sample(values, len(values))
        for end in range(1, len(values) + 1):
            other.should_prune(Trial(number, {}, 0), curve(shuffled[:end]))  # its rungs are passed in another order
        result = result_of(number, curve(values), is_pruned=False)
        one.tell(Trial(number, {}, 0), result)
        other.tell(Trial(number, {}, 0), result)
    for values in made:
        last = Trial(TRIALS, {}, 0)
        assert one.should_prune(last, curve(values)) == other.should_prune(last, curve(values))


def test_with_a_free_window_all_told_trials_count() -> None:
    pruner = make("median", window=None)
    for number in (9, 3, 7, 12):
        pruner.tell(Trial(number, {}, 0), Result(State.COMPLETE, 1.0, "", {1: 1.0}))
    assert pruner.should_prune(Trial(5, {}, 0), {1: 2.0})
    assert not pruner.should_prune(Trial(5, {}, 0), {1: 0.5})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("median", {"n_startup_trial": 3}, "unknown option 'n_startup_trial' - did you mean 'n_startup_trials'?"),
        ("median", {"n_warmup_steps": -1}, "n_warmup_steps must be a whole number of at least 0, got -1"),
        ("percentile", {}, "pruner percentile needs an option: percentile: 25 keeps the best quarter"),
        ("percentile", {"percentile": 101}, "percentile must be a number from 0 to 100, got 101"),
        ("asha", {"min_resource": "some"}, "min_resource must be a whole number of at least 1 or auto, got 'some'"),
        ("asha", {"bootstrap_count": 3}, "bootstrap_count > 0 and min_resource == 'auto'"),
        ("hyperband", {"min_resource": 9, "max_resource": 3}, "max_resource must be at least min_resource = 9, got 3"),
        ("patient", {"of": "median"}, "pruner patient needs an option: patience: 3"),
        ("patient", {"patience": 1, "of": "best"}, "of must name one of median, percentile, asha"),
        ("patient", {"patience": 1, "of": ["asha"]}, "of must be a pruner's name, or {name: .., options: {..}}"),
        ("patient", {"patience": 1, "of": {"name": "asha", "options": {"x": 1}}}, "pruner asha: unknown option 'x'"),
        ("threshold", {"n_warmup_steps": 1}, "pruner threshold needs the option lower or upper"),
        ("threshold", {"lower": 2, "upper": 1}, "lower should be smaller than upper"),
        ("wilcoxon", {"p_threshold": 2}, "p_threshold must be a number from 0 to 1, got 2"),
        ("medain", {}, "there is no pruner 'medain' - did you mean 'median'?"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_right(name: str, options: Mapping[str, object], message: str) -> None:
    with pytest.raises(EngineError) as raised:
        make_pruner(name, goal=Goal.MINIMIZE, seed=0, window=1, options=options)
    assert message in str(raised.value)
