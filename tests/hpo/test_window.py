"""The rolling window tells in number order, exactly what a trial may know."""

from hypothesis import given
from hypothesis import strategies as st

from hpo.budget import Budget, Judge
from hpo.trial import Goal, Result, State, Trial
from hpo.window import Window


def trial(number: int) -> Trial:
    return Trial(number, {}, seed=0)


DONE = Result(State.COMPLETE, 1.0)


def test_the_first_trials_of_a_window_know_nothing() -> None:
    told: list[int] = []
    window = Window(4, lambda trial, result: told.append(trial.number))
    assert all(window.admits(number) for number in range(4))
    assert not window.admits(4)
    assert told == []


def test_a_trial_knows_exactly_those_up_to_its_number_minus_the_window() -> None:
    told: list[int] = []
    window = Window(2, lambda trial, result: told.append(trial.number))
    for number in (1, 0, 3, 2):
        window.end(trial(number), DONE)
    assert window.admits(3)
    assert told == [0, 1]  # 2 and 3 have ended too, and are not told yet


def test_a_free_window_tells_at_once_and_admits_always() -> None:
    told: list[int] = []
    window = Window(None, lambda trial, result: told.append(trial.number))
    window.end(trial(5), DONE)
    assert window.admits(99)
    assert told == [5]


def test_a_trial_that_was_admitted_stays_so_while_a_later_one_waits() -> None:
    window = Window(2, lambda trial, result: None)
    window.end(trial(0), DONE)
    assert window.admits(2)
    assert not window.admits(3)
    assert window.admits(1)  # which was lost, and is to run again


FAILED = Result(State.FAILED, None, "exception")


def test_where_nobody_learns_a_trial_waits_only_for_those_that_could_end_the_sweep() -> None:
    told: list[int] = []
    failures_left = 2
    window = Window(2, lambda trial, result: told.append(trial.number), lambda: failures_left)
    window.end(trial(1), DONE)
    assert window.admits(2)  # 0 is open: should it fail, one more would have to
    assert not window.admits(4)  # now 2 is, too
    window.end(trial(2), DONE)
    assert window.admits(4)
    window.end(trial(3), FAILED)
    assert not window.admits(4)
    window.end(trial(0), DONE)
    assert window.admits(4)
    assert told == [0, 1, 2]  # in order, and what the window says


@given(
    size=st.integers(1, 5),
    slots=st.integers(1, 5),
    most=st.integers(1, 5),
    fails=st.lists(st.booleans(), min_size=20, max_size=20),
    random=st.randoms(use_true_random=False),
)
def test_failures_end_the_sweep_at_the_same_trial_where_nobody_waits_in_vain(  # type: ignore[no-untyped-def]
    size: int, slots: int, most: int, fails: list[bool], random
) -> None:
    def asked_for(*, waits: bool) -> int:
        judge = Judge(Budget(n_trials=20, max_failures=most), Goal.MINIMIZE)
        window = Window(size, judge.tell, None if waits else judge.spare)
        running: list[int] = []
        number = 0
        while True:
            while len(running) < min(slots, size) and window.admits(number):
                if judge.verdict(number, 0.0) is not None:
                    return number
                running.append(number)
                number += 1
            ended = running.pop(random.randrange(len(running)))
            window.end(trial(ended), FAILED if fails[ended] else DONE)

    assert asked_for(waits=False) == asked_for(waits=True)


@given(st.integers(1, 6), st.integers(1, 6), st.randoms(use_true_random=False))
def test_what_is_known_does_not_depend_on_order_or_slots(size: int, slots: int, random) -> None:  # type: ignore[no-untyped-def]
    slots = min(slots, size)
    told: list[int] = []
    known: dict[int, list[int]] = {}
    window = Window(size, lambda trial, result: told.append(trial.number))
    running: list[int] = []
    number = 0
    while number < 15 or running:
        while number < 15 and len(running) < slots and window.admits(number):
            known[number] = list(told)
            running.append(number)
            number += 1
        window.end(trial(running.pop(random.randrange(len(running)))), DONE)
    assert known == {n: list(range(max(0, n - size + 1))) for n in range(15)}
