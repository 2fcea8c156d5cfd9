"""Which parameters matter: by functions of known importance, by branch, and from trials that others wrote."""

import json
import math
import random
from collections.abc import Mapping, Sequence

import pytest

from hpo.branches import Branch, branches
from hpo.errors import NothingFound
from hpo.importance import Importance, importance
from hpo.importance_columns import Column, columns
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Params, Space, Value
from hpo.trial import Goal
from trackers.memory_tracker import MemoryTracker
from trackers.records import Change, Point, Run, RunEnded, RunStarted, Status, SweepFacts, TrialFacts
from trackers.tracker import Tracker

FILE = """
name: known
metric: {name: loss}
objective: {python: "m:f"}
parameters:
  much: {type: float, low: 1.0e-5, high: 1, log: true}
  some: {type: int, low: 1, high: 20}
  none: [x, y, z]
  fixed: 3
  model: [line, tree]
  slope: {type: float, low: -1, high: 1, when: {model: line}}
  depth: {type: int, low: 1, high: 10, when: {model: tree}}
budget: {n_trials: 100}
"""


def point(draw: random.Random) -> dict[str, Value]:
    params: dict[str, Value] = {
        "much": 10 ** draw.uniform(-5, 0), "some": draw.randint(1, 20), "none": draw.choice("xyz"), "fixed": 3
    }  # fmt: skip
    params["model"] = draw.choice(("line", "tree"))
    return {
        **params,
        **({"slope": draw.uniform(-1, 1)} if params["model"] == "line" else {"depth": draw.randint(1, 10)}),
    }


def loss(params: Mapping[str, Value]) -> float:
    """`much` matters by its magnitude, `some` a little, `none` not at all; in a line `slope` is nearly all there is."""
    value = (math.log10(float(str(params["much"]))) + 3.5) ** 2 + 0.05 * float(str(params["some"]))
    return value + 30 * float(str(params.get("slope", 0))) ** 2 + 0.001 * float(str(params.get("depth", 0)))


def written(points: Sequence[Params], values: Sequence[float | None], *, ours: bool = True) -> tuple[Tracker, Run]:
    """A store with these trials, None for one that failed; of MLflow alone where not ours, params being texts."""
    tracker = MemoryTracker()
    tracker.experiment("e")
    facts = SweepFacts(json.dumps({"file": FILE}), "hash", "loss", "minimize", seed=1, window=1)
    changes: list[Change] = [RunStarted("p" * 32, "known", "e", 1, sweep=facts if ours else None)]
    for number, (params, value) in enumerate(zip(points, values, strict=True)):
        run_id = f"{number:032x}"
        trial = TrialFacts(number, params) if ours else None
        texts = {name: str(of) for name, of in params.items()}
        changes.append(
            RunStarted(run_id, f"t{number}", "e", number + 2, "p" * 32, params if ours else texts, trial=trial)
        )
        status = Status.FAILED if value is None else Status.FINISHED
        ended = TrialFacts(number, params, "FAILED" if value is None else "COMPLETE", value=value) if ours else None
        reported = [] if value is None else [Point("loss", value), Point("minus", -value)]
        changes.append(RunEnded(run_id, status, number + 3, reported, trial=ended))
    tracker.record(changes)
    return tracker, tracker.get("p" * 32)


def asked(points: Sequence[Params], values: Sequence[float | None], *, ours: bool = True, **options: str) -> Importance:
    tracker, parent = written(points, values, ours=ours)
    return importance(tracker, parent, "loss", Goal.MINIMIZE, **options)


def known(count: int = 120) -> tuple[list[dict[str, Value]], list[float]]:
    draw = random.Random(4)
    points = [point(draw) for _ in range(count)]
    return points, [loss(params) for params in points]


@pytest.mark.parametrize(
    ("method", "ours"),
    [
        ("ped-anova", True),
        ("ped-anova", False),
        ("fanova", True),
        pytest.param("fanova", False, marks=pytest.mark.slow),
    ],
)
def test_each_branch_names_what_is_known_to_matter_there(method: str, ours: bool) -> None:
    found = asked(*known(), ours=ours, method=method)
    everywhere, line, tree = sorted(found.branches, key=lambda of: of.branch)
    assert (found.branches[0], everywhere.branch) == (everywhere, "")
    assert (line.branch, tree.branch) == ("model = line", "model = tree")
    assert everywhere.trials == found.trials == 120 == line.trials + tree.trials
    assert set(everywhere.importances) == {"much", "some", "none", "model"}
    assert set(line.importances) == {"much", "some", "none", "slope"}
    assert next(iter(line.importances)) == "slope"
    assert next(iter(tree.importances)) == "much"
    assert tree.importances["much"] > 0.6
    for of in found.branches:
        assert sum(of.importances.values()) == pytest.approx(1)
        assert list(of.importances.values()) == sorted(of.importances.values(), reverse=True)
        assert of.importances["none"] < 0.12


@pytest.mark.parametrize("method", ["ped-anova", "fanova"])
def test_the_answer_is_the_same_every_time(method: str) -> None:
    points, values = known(20)
    random.seed(1)
    first = asked(points, values, method=method)
    random.seed(2)
    assert asked(points, values, method=method) == first


def test_the_goal_says_which_trials_are_the_good_ones() -> None:
    tracker, parent = written(*known())
    down, up = (importance(tracker, parent, "loss", goal) for goal in Goal)
    assert down != up
    assert importance(tracker, parent, "minus", Goal.MAXIMIZE) == down


def test_trials_without_a_value_are_left_out() -> None:
    points, values = known(40)
    failed = [None if number % 4 == 0 else value for number, value in enumerate(values)]
    found = asked(points, failed)
    assert found.trials == 30
    whole = [(params, value) for params, value in zip(points, failed, strict=True) if value is not None]
    assert found == asked([params for params, _ in whole], [value for _, value in whole])


def test_a_filter_chooses_the_trials() -> None:
    found = asked(*known(), where="params.model = 'line'")
    assert [of.branch for of in found.branches] == [""]
    assert "slope" in found.branches[0].importances


def test_too_few_trials_are_refused_and_a_small_branch_is_named() -> None:
    points, values = known(9)
    with pytest.raises(NothingFound, match=r"at least 10 COMPLETE trials with a finite loss; 'known' has 9$"):
        asked(points, values)
    points, values = known()
    lines = [at for at, params in enumerate(points) if params["model"] == "line"][:9]
    chosen = [at for at, params in enumerate(points) if params["model"] == "tree" or at in lines]
    found = asked([points[at] for at in chosen], [values[at] for at in chosen])
    assert found.too_few == {"model = line": 9}
    assert [of.branch for of in found.branches] == ["", "model = tree"]


def test_trials_of_one_value_are_refused() -> None:
    points, values = known(20)
    with pytest.raises(NothingFound, match=r"all 20 COMPLETE trials of 'known' have the same loss, 2.5"):
        asked(points, [2.5 for _ in values])


def test_fanova_takes_no_more_trials_than_it_can_judge_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.importance._MOST", {"fanova": 30})
    found = asked(*known(), method="fanova")
    assert (found.trials, found.branches[0].trials) == (120, 30)
    assert next(iter(found.branches[2].importances)) == "much"


def test_branches_overlap_where_conditions_do() -> None:
    space = Space(
        (
            Parameter("a", Choice((True, False))),
            Parameter("b", Choice(("p", "q")), when={"a": (True,)}),
            Parameter("c", IntRange(1, 3), when={"a": (True,), "b": ("q",)}),
        )
    )
    points: list[Params] = [{"a": True, "b": "p"}, {"a": False}, {"a": True, "b": "q", "c": 1}]
    assert branches(points, space) == [
        Branch("", [0, 1, 2], ["a"]),
        Branch("a = true", [0, 2], ["a", "b"]),
        Branch("a = true and b = q", [2], ["a", "b", "c"]),
    ]


def test_without_a_space_branches_are_named_by_what_sets_them_apart() -> None:
    points: list[Params] = [{"m": "x", "u": "1"}, {"m": "y"}, {"m": "z", "u": "2"}, {"m": "y", "v": "1"}]
    assert [branch.name for branch in branches(points)] == ["", "m = x | z", "v is set"]


def test_points_that_share_nothing_have_branches_only() -> None:
    assert [branch.name for branch in branches([{"u": 1}, {"v": 1}])] == ["u is set", "v is set"]


def test_columns_stand_on_the_scale_of_the_search() -> None:
    space = Space(
        (
            Parameter("rate", FloatRange(1e-4, 1, log=True)),
            Parameter("depth", IntRange(0, 10)),
            Parameter("kind", Choice(("a", True, None)), when={"depth": (5,)}),
            Parameter("fixed", Constant(1)),
        )
    )
    table = columns([{"rate": 1e-2, "depth": 5, "kind": None}, {"rate": 1.0, "depth": 10}], space)
    assert table == {"rate": Column([0.5, 1.0]), "depth": Column([0.5, 1.0]), "kind": Column([2, None], 3)}


def test_columns_of_texts_are_numbers_where_all_of_them_are() -> None:
    points: list[Params] = [
        {"n": "1", "r": "0.001", "t": "9"},
        {"n": "3", "r": "1e3"},
        {"n": "2", "r": "1", "t": "big"},
    ]
    table = columns(points)
    assert table["n"].values == [0.0, 1.0, 0.5]
    assert table["r"].values == pytest.approx([0.0, 1.0, 0.5])  # a million times apart: by magnitude
    assert table["t"] == Column([0, None, 1], 2)
    assert columns([{"n": "nan"}, {"n": "1"}])["n"].choices == 2
