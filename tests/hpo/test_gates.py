"""What each gate says of a candidate, and by how much; the verdicts survive being written down."""

import pytest

from hpo.decision import Decision, as_fields, verdicts_on
from hpo.gates import Verdict, condition_of, is_late, judge_better, judge_seeds, judge_test, judge_when
from hpo.trial import Goal
from trackers.errors import FilterError
from trackers.records import Run, Status, TrialFacts


def trial(seconds: float = 2.0, **metrics: float) -> Run:
    facts = TrialFacts(17, {"kind": "rf"}, "COMPLETE", value=metrics.get("roc_auc"), seconds=seconds)
    return Run(
        "a" * 32, "trial-17", "e", Status.FINISHED, 1, 2, "/x", params=facts.params, metrics=metrics, trial=facts
    )


def better(ours: float, theirs: float, margin: float = 0.0, goal: Goal = Goal.MAXIMIZE) -> Verdict:
    return judge_better(ours, theirs, metric="auc", goal=goal, margin=margin, holder="version 3", trial=17)


@pytest.mark.parametrize(
    "when",
    [
        "roc_auc >= 0.98", "roc_auc>=0.98 and seconds < 30", "metrics.roc_auc > 0.9", "not roc_auc < 0.98",
        "roc_auc > 1 or params.kind = 'rf'", "value >= 0.98", "number = 17",
    ],
)  # fmt: skip
def test_a_condition_speaks_of_metrics_by_their_bare_names(when: str) -> None:
    verdict = judge_when(when, trial(roc_auc=0.985))
    assert verdict.passed
    assert (verdict.gate, verdict.wanted, verdict.trial) == ("when", when, 17)


def test_a_refusal_says_how_far_short_the_trial_is() -> None:
    verdict = judge_when("roc_auc >= 0.98", trial(roc_auc=0.9771))
    assert not verdict.passed
    assert verdict.by == pytest.approx(-0.0029)
    assert verdict.text == "roc_auc 0.9771 is 0.0029 short of 0.98"
    assert verdict.got == "roc_auc 0.9771"


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("seconds < 30", "seconds 31.5 is 1.5 above 30"),
        ("seconds <= 30 and roc_auc >= 0.9", "seconds 31.5 is 1.5 above 30"),
        ("seconds < 30 and roc_auc > 0.99", "seconds 31.5 is 1.5 above 30; roc_auc 0.98 is 0.01 short of 0.99"),
        ("accuracy > 0.5", "accuracy is not on record"),
        ("params.kind = 'svc'", "kind is rf, wanted = svc"),
        ("roc_auc > 0.98", "roc_auc is 0.98, wanted > 0.98"),
        ("roc_auc = 1", "roc_auc is 0.98, wanted = 1"),
        ("not roc_auc > 0.5", "roc_auc 0.98, wanted not roc_auc > 0.5"),
    ],
)
def test_every_part_that_is_missing_is_named(when: str, text: str) -> None:
    verdict = judge_when(when, trial(31.5, roc_auc=0.98))
    assert (verdict.passed, verdict.text) == (False, text)


def test_a_metric_that_is_nan_fits_no_condition() -> None:
    assert not judge_when("roc_auc >= 0", trial(roc_auc=float("nan"))).passed


@pytest.mark.parametrize("when", ["", "roc_auc", "roc_auc > high", "__import__('os')", "roc_auc > 1 and"])
def test_nothing_but_a_condition_is_understood(when: str) -> None:
    with pytest.raises(FilterError):
        condition_of(when)


def test_what_is_known_only_after_tests_and_seeds_is_asked_then() -> None:
    assert is_late(condition_of("roc_auc > 0 and (seconds < 3 or not test_roc_auc < 1)"))
    assert is_late(condition_of("seeds_std_roc_auc < 0.01"))
    assert not is_late(condition_of("roc_auc > 0 and params.test_size = 1"))


@pytest.mark.parametrize(
    ("ours", "theirs", "margin", "passed", "by"),
    [
        (0.9951, 0.9942, 0.0005, True, 0.0004),
        (0.9939, 0.9942, 0.0005, False, -0.0008),
        (0.9942, 0.9942, 0.0, False, 0.0),
        (0.5, 0.4, 0.1, True, 0.0),  # 0.5 - 0.4 is a little less than 0.1
        (0.9943, 0.9942, 0.0, True, 0.0001),
    ],
)
def test_a_margin_is_in_units_of_the_metric(ours: float, theirs: float, margin: float, passed: bool, by: float) -> None:
    verdict = better(ours, theirs, margin)
    assert verdict.passed is passed
    assert verdict.by == pytest.approx(by, abs=1e-12)
    same = better(-ours, -theirs, margin, Goal.MINIMIZE)
    assert (same.passed, same.by) == (verdict.passed, verdict.by)


def test_a_comparison_is_told_in_one_line() -> None:
    assert better(0.9951, 0.9942, 0.0005).text == "auc 0.9951 beats version 3 (0.9942) by 0.0009, margin 0.0005"
    refused = "auc 0.9939 against 0.9942 of version 3, 0.0008 short of the margin 0.0005"
    assert better(0.9939, 0.9942, 0.0005).text == refused
    assert better(0.99, 0.991).text == "auc 0.99 against 0.991 of version 3, 0.001 short of it"
    assert better(0.99, 0.99).text == "auc 0.99 is no better than version 3, which has the same"


def test_seeds_that_change_nothing_are_said_to() -> None:
    spread = judge_seeds(trial(seeds_mean_auc=0.9, seeds_std_auc=0.01), "auc", 3, "")
    assert spread.text == "3 re-runs with other seeds gave auc 0.9 ± 0.01"
    same = judge_seeds(trial(seeds_mean_auc=0.9, seeds_std_auc=0.0), "auc", 3, "")
    assert same.text.endswith("the same each time: seeds change nothing here")
    assert not judge_seeds(trial(), "auc", 3, "re-run 2 of 3 FAILED: exception (no)").passed


def test_a_trial_that_cannot_be_judged_falls() -> None:
    verdict = judge_test(trial(), "auc", "exception ValueError: shape")
    assert (verdict.passed, verdict.text) == (
        False,
        "cannot be scored on the test data: exception ValueError: shape",
    )


def test_a_decision_is_read_as_it_was_written_down() -> None:
    verdicts = [judge_when("roc_auc > 0.5", trial(roc_auc=0.9)), better(0.99, 0.991, 0.1)]
    decision = Decision(verdicts, [verdicts[0]], 17, "validation", "abc", "", 2)
    assert Decision.from_json(decision.as_json()) == decision
    assert decision.refused == verdicts[1]
    assert decision.why_not.startswith("gate better_than: trial 17: auc 0.99 against 0.991")
    assert Decision(verdicts, registered="m version 1").refused is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"verdicts": 1}', "null", '{"verdicts": [{"gate": 1}]}'])
def test_what_is_no_decision_of_ours_is_none(text: str) -> None:
    assert Decision.from_json(text) is None
    assert verdicts_on(text) == ()


def test_a_decision_fits_into_a_tag_however_long_its_texts_are() -> None:
    long = Verdict("when", False, '"' * 2000, "\x00" * 2000, "é" * 2000, trial=1)
    decision = Decision([long] * 4, [long] * 1000, candidates=1000)
    assert len(decision.as_json()) <= 8000
    assert len(str(as_fields(long)["text"])) < 210
    assert Decision.from_json(decision.as_json()) is not None
