"""The budget's rules, judged on told trials."""

from hpo.budget import Budget, Judge, Stop
from hpo.trial import Goal, Result, State, Trial


def judge(budget: Budget, *values: float | None, goal: Goal = Goal.MINIMIZE) -> Judge:
    judge = Judge(budget, goal)
    for number, value in enumerate(values):
        state = State.FAILED if value is None else State.COMPLETE
        judge.tell(Trial(number, {}, seed=0), Result(state, value))
    return judge


def test_n_trials_counts_every_asked_trial() -> None:
    assert judge(Budget(3)).verdict(2, 0) is None
    assert judge(Budget(3)).verdict(3, 0) is Stop.N_TRIALS


def test_max_failures_stops_once_that_many_failed() -> None:
    assert judge(Budget(9, max_failures=2), None, 1.0).verdict(2, 0) is None
    assert judge(Budget(9, max_failures=2), None, 1.0, None).verdict(3, 0) is Stop.FAILURES


def test_a_lost_trial_is_no_failure_of_its_params() -> None:
    lost = judge(Budget(9, max_failures=1))
    lost.tell(Trial(0, {}, seed=0), Result(State.FAILED, reason="lost"))
    assert lost.verdict(1, 0) is None
    lost.tell(Trial(1, {}, seed=0), Result(State.FAILED, reason="exception"))
    assert lost.verdict(2, 0) is Stop.FAILURES


def test_a_reached_target_stops_and_equal_is_reached() -> None:
    assert judge(Budget(9, target=0.5), 0.6).verdict(1, 0) is None
    assert judge(Budget(9, target=0.5), 0.6, 0.5).verdict(2, 0) is Stop.TARGET
    assert judge(Budget(9, target=0.5), 0.6, goal=Goal.MAXIMIZE).verdict(1, 0) is Stop.TARGET


def test_patience_counts_trials_since_the_last_strict_improvement() -> None:
    assert judge(Budget(9, patience=2), 1.0, 1.0).verdict(2, 0) is None
    assert judge(Budget(9, patience=2), 1.0, 1.0, None).verdict(3, 0) is Stop.PATIENCE
    assert judge(Budget(9, patience=2), 1.0, 1.0, 0.9).verdict(3, 0) is None


def test_timeout_is_judged_on_the_seconds_used() -> None:
    assert judge(Budget(9, timeout=10)).verdict(0, 9.9) is None
    assert judge(Budget(9, timeout=10)).verdict(0, 10.0) is Stop.TIMEOUT
