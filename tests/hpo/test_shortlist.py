"""What engines look at once more trials are told than they can look at: all the good ones, and a fair sample."""

import math
import random
from itertools import pairwise

import pytest
from hyperopt.tpe import ap_split_trials, build_posterior_wrapper
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.sampler import Sampler
from hpo.samplers.hyperopt_history import History
from hpo.samplers.names import make_sampler
from hpo.samplers.optuna_axes import axes
from hpo.samplers.optuna_study import Notebook, ToldStudy
from hpo.samplers.short_notebook import ShortNotebook
from hpo.samplers.shortlist import GOOD, LIMIT, NEWEST, Shortlist
from hpo.space import FloatRange, Parameter, Space
from hpo.trial import Goal, Result, State, Trial

SPACE = Space((Parameter("x", FloatRange(0, 1)), Parameter("y", FloatRange(0, 1))))
AXES = axes(SPACE)


def shortlist_of(ranks: list[float], limit: int = 100) -> Shortlist[int]:
    shortlist: Shortlist[int] = Shortlist(limit)
    for number, rank in enumerate(ranks):
        shortlist.add((rank,), number)
    return shortlist


def some_ranks(count: int) -> list[float]:
    draw = random.Random(1)
    return [float(draw.randrange(count // 2)) for _ in range(count)]  # equals among them


def test_up_to_the_limit_everything_is_kept_in_order() -> None:
    assert shortlist_of(some_ranks(100)).items() == list(range(100))


@pytest.mark.parametrize("count", [101, 500, 3000])
def test_beyond_the_limit_the_best_are_kept_and_as_many_as_there_is_room_for(count: int) -> None:
    ranks = some_ranks(count)
    kept = shortlist_of(ranks).items()
    best = sorted(range(count), key=lambda number: (ranks[number], number))[:GOOD]
    assert set(best) <= set(kept)
    assert kept == sorted(set(kept))
    assert len(kept) == 100


def test_of_the_rest_the_newest_are_kept_and_a_sample_that_is_spread_evenly_over_time() -> None:
    kept = shortlist_of([float(number) for number in range(4000)], limit=GOOD + NEWEST + 300).items()
    assert kept[:GOOD] == list(range(GOOD))
    assert kept[-NEWEST:] == list(range(4000 - NEWEST, 4000))
    sample = kept[GOOD:-NEWEST]
    gaps = [later - earlier for earlier, later in pairwise(sample)]
    assert len(set(gaps)) <= 3  # the three-gap theorem
    assert max(gaps) < 3 * 3800 / 300
    assert sample[0] < 60
    assert sample[-1] > 3740


def test_what_is_kept_never_comes_back() -> None:
    shortlist: Shortlist[int] = Shortlist(50)
    gone: set[int] = set()
    before: set[int] = set()
    for number, rank in enumerate(some_ranks(400)):
        shortlist.add((rank,), number)
        kept = set(shortlist.items())
        assert not kept & gone
        gone |= (before | {number}) - kept
        before = kept


def told(number: int, goal: Goal) -> tuple[Trial, Result]:
    draw = random.Random(number)
    point = {"x": draw.random(), "y": draw.random()}
    value = (point["x"] - 0.3) ** 2 + round(point["y"], 1)
    value = value if goal is Goal.MINIMIZE else -value
    result = Result(State.COMPLETE, value, violation=number % 3 - 1.0 if number % 13 == 7 else None)
    if number % 3 == 1:
        curve = {} if number % 4 == 0 else {step: value if step % 5 else float("nan") for step in range(number % 7)}
        result = Result(State.PRUNED, curve=curve)
    if number % 11 == 5:
        result = Result(State.FAILED)
    return Trial(number, point, seed=0), result


def study_of(goal: Goal, notebook: Notebook, numbers: range) -> ToldStudy:
    study = ToldStudy(goal, notebook)
    for number in numbers:
        study.add(AXES, *told(number, goal), {})
    return study


def answer(study: ToldStudy, seed: int) -> object:
    sampler = TPESampler(seed=seed, constant_liar=False)
    group = {name: axis.distribution for name, axis in AXES.items()}
    return sampler.sample_relative(study.look(sampler), study.asked, group)


@pytest.mark.parametrize("goal", Goal)
def test_up_to_the_limit_tpe_answers_as_if_nothing_were_left_out(goal: Goal) -> None:
    for count in (5, 80, 150):
        short = study_of(goal, ShortNotebook(goal, limit=150), range(count))
        assert [answer(short, seed) for seed in range(4)] == [
            answer(study_of(goal, Notebook(), range(count)), seed) for seed in range(4)
        ]


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("numbers", [range(1200), range(1, 3000, 3)], ids=["mixed", "pruned"])
def test_the_good_trials_are_those_that_tpe_would_choose_from_all(goal: Goal, numbers: range) -> None:
    good: list[list[float]] = []
    for notebook in (Notebook(), ShortNotebook(goal, LIMIT)):
        study = study_of(goal, notebook, numbers).look(TPESampler())
        below, _ = _split_trials(study, study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)), GOOD)
        good.append([trial.params["x"] for trial in below])
    assert len(good[0]) == GOOD == default_gamma(LIMIT) == default_gamma(10**6)
    assert good[0] == good[1]


@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
def test_beyond_the_limit_a_fresh_instance_told_the_history_answers_the_same(engine: str) -> None:
    def make() -> Sampler:
        return make_sampler(engine, "tpe", SPACE, seed=3, goal=Goal.MINIMIZE, window=1, options={})

    old, fresh = make(), make()
    for number in range(LIMIT + 150):
        old.tell(*told(number, Goal.MINIMIZE))
        fresh.tell(*told(number, Goal.MINIMIZE))
        if number > LIMIT and number % 50 == 0:
            old.ask(range(number + 1, number + 2))
    numbers = range(LIMIT + 150, LIMIT + 152)
    assert old.ask(numbers) == fresh.ask(numbers)


def history_of(limit: int | None, count: int) -> History:
    history = History(limit)
    for number in range(count):
        trial, result = told(number, Goal.MINIMIZE)
        history.add(number, result.value, {name: [float(str(trial.params[name]))] for name in AXES})
    return history


def good_and_rest(history: History, gamma: object) -> tuple[set[object], set[object]]:
    tids = [trial["tid"] for trial in history.trials().trials]
    losses = [trial["result"].get("loss", math.inf) for trial in history.trials().trials]
    below, above = ap_split_trials(tids, tids, tids, losses, history.gamma(gamma))
    return set(below), set(above)


def test_up_to_the_limit_hyperopt_is_shown_everything() -> None:
    for count in (0, 5, 150):
        assert history_of(150, count).trials().trials == history_of(None, count).trials().trials
        assert history_of(150, count).gamma(None) == 0.25


@pytest.mark.parametrize("gamma", [None, 0, 0.1, 0.5, 3.0])
def test_the_good_trials_are_those_that_hyperopt_would_choose_from_all(gamma: float | None) -> None:
    for count in (501, 900, 2000):
        good, rest = good_and_rest(history_of(LIMIT, count), gamma)
        every_good, every_rest = good_and_rest(history_of(None, count), gamma)
        assert good == every_good
        assert rest < every_rest
        assert len(good | rest) == LIMIT


def sampler_told(engine: str, count: int) -> Sampler:
    sampler = make_sampler(engine, "tpe", SPACE, seed=3, goal=Goal.MINIMIZE, window=1, options={})
    for number in range(count):
        sampler.tell(*told(number, Goal.MINIMIZE))
    return sampler


def test_optunas_tpe_splits_no_more_trials_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(study: Study, trials: list[FrozenTrial], n_below: int) -> object:
        seen.append(len(trials))
        return _split_trials(study, trials, n_below)

    monkeypatch.setattr("optuna.samplers._tpe.sampler._split_trials", watched)
    sampler_told("optuna", LIMIT + 100).ask(range(LIMIT + 100, LIMIT + 101))
    assert seen == [LIMIT]


def test_hyperopts_tpe_is_given_the_gamma_of_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def watched(domain: object, prior_weight: float, gamma: float) -> object:
        seen.append(gamma)
        return build_posterior_wrapper(domain, prior_weight, gamma)

    monkeypatch.setattr("hyperopt.tpe.build_posterior_wrapper", watched)
    sampler_told("hyperopt", 900).ask(range(900, 901))
    assert [math.ceil(gamma * math.sqrt(LIMIT)) for gamma in seen] == [math.ceil(0.25 * math.sqrt(900))]
