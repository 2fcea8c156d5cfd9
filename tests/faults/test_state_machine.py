"""A store against a model of it: random starts, ends, put-backs, crashes and takeovers by several drivers.

Whatever is tried in whatever order: a trial's number stands once, no more trials than were started are on record, what
was acknowledged stays, and what comes late or from a driver that was fenced off is refused and changes nothing.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trackers.errors import AlreadyOwned, FencedOff, Superseded
from trackers.opening import Store, open_store
from trackers.records import Query, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

SWEEP = "f" * 32
BUDGET = 3
DRIVERS = st.sampled_from(["one", "two"])
OWNER = "the owner"
WRITERS = st.sampled_from([OWNER, OWNER, OWNER, OWNER, "one", "two"])
NUMBERS = st.integers(0, BUDGET - 1)
VALUES = st.floats(-1e6, 1e6)
ACTIONS = st.lists(
    st.tuples(
        WRITERS,
        NUMBERS,
        st.sampled_from(["start", "start", "COMPLETE", "FAILED", "WAITING"]),
        st.integers(0, 2),
        VALUES,
    ),
    min_size=4,
    max_size=12,
)


@dataclass
class Known:
    """What the model knows of a trial."""

    state: str
    attempt: int
    value: float | None = None


def run_id(number: int) -> str:
    return f"{number:032x}"


class Machine(RuleBasedStateMachine):
    """Two drivers that fight for one sweep; `uri` is set by the store's own machine below."""

    uri = "memory://"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hpo-machine-"))
        self.store = self.opened()
        self.store.tracker.experiment("machine")
        facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1, n_trials=BUDGET)
        self.store.tracker.record([RunStarted(SWEEP, "machine", "machine", started=1, sweep=facts)])
        self.fences = {"one": self.store.ownership.claim(SWEEP, "one", taking_from=None)}
        self.owner = "one"
        self.trials: dict[int, Known] = {}

    def opened(self) -> Store:
        return open_store(self.uri.format(folder=self.folder))

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(driver=DRIVERS)
    def claim(self, driver: str) -> None:
        """Nobody gets a sweep that somebody holds."""
        with pytest.raises(AlreadyOwned):
            self.store.ownership.claim(SWEEP, driver, taking_from=None)

    @rule(driver=DRIVERS)
    def take_over(self, driver: str) -> None:
        """From whoever holds it, dead or alive; the old fence stays in the old driver's hands."""
        holder = self.store.ownership.holder(SWEEP)
        assert holder is not None
        self.fences[driver] = self.store.ownership.claim(SWEEP, driver, taking_from=holder.token)
        self.owner = driver

    @rule(driver=DRIVERS)
    def give_back_and_claim(self, driver: str) -> None:
        self.store.ownership.release(self.fences.pop(self.owner))
        self.fences[driver] = self.store.ownership.claim(SWEEP, driver, taking_from=None)
        self.owner = driver

    @rule(actions=ACTIONS)
    def work(self, actions: list[tuple[str, int, str, int, float]]) -> None:
        """Several in a row: chance alone would start few trials and end fewer."""
        for driver, number, action, late, value in actions:
            if action == "start":
                self.start(driver, number, late)
            else:
                self.end(driver, number, late, value, action)

    def start(self, driver: str, number: int, late: int) -> None:
        """The next attempt, or one that is there already."""
        known = self.trials.get(number)
        attempt = max(1, (known.attempt if known else 0) + 1 - late)
        is_open = known is not None and known.state in ("RUNNING", "WAITING")
        is_next = known is None or attempt > known.attempt or (is_open and attempt == known.attempt)
        facts = TrialFacts(number, {"x": number}, "RUNNING", attempt, seed=number)
        change = RunStarted(run_id(number), f"trial-{number}", "machine", 1, parent_id=SWEEP, trial=facts)
        if self.recorded(driver, change, may=is_next):
            self.trials[number] = Known("RUNNING", attempt)

    def end(self, driver: str, number: int, late: int, value: float, state: str) -> None:
        """The end of an attempt, of today's or one that is long over."""
        known = self.trials.get(number)
        if known is None:
            return
        attempt = max(1, known.attempt - late)
        result = value if state == "COMPLETE" else None
        status = {"COMPLETE": Status.FINISHED, "FAILED": Status.FAILED, "WAITING": Status.SCHEDULED}[state]
        facts = TrialFacts(number, {"x": number}, state, attempt, seed=number, value=result)
        is_repeated = known == Known(state, attempt, result)
        is_running = known.state == "RUNNING" and known.attempt == attempt
        change = RunEnded(run_id(number), status, 2, trial=facts)
        if self.recorded(driver, change, may=is_running or is_repeated):
            self.trials[number] = Known(state, attempt, result)

    @rule()
    def crash(self) -> None:
        """The process is gone, with its connections, and another one looks at the store."""
        if "{folder}" in self.uri:
            self.store.close()
            self.store = self.opened()

    def recorded(self, driver: str, change: RunStarted | RunEnded, *, may: bool) -> bool:
        """Tries; whether it was acknowledged, which is so exactly where the model says that it may be."""
        driver = self.owner if driver == OWNER else driver
        fence = self.fences.get(driver)
        if fence is None:
            return False
        owns = driver == self.owner
        try:
            self.store.tracker.record([change], fence)
        except FencedOff:
            assert not owns
            return False
        except Superseded:
            assert owns
            assert not may
            return False
        assert owns
        assert may
        return True

    @invariant()
    def the_store_is_what_was_acknowledged(self) -> None:
        found = self.store.tracker.find(Query(parent=SWEEP))
        on_record = {run.trial.number: run.trial for run in found if run.trial is not None}
        assert len(found) == len(on_record) == len(self.trials) <= BUDGET
        for number, known in self.trials.items():
            facts = on_record[number]
            assert (str(facts.state), facts.attempt, facts.value) == (known.state, known.attempt, known.value)
            assert facts.params == {"x": number}


class SqliteMachine(Machine):
    uri = "sqlite:///{folder}/mlflow.db"


class PostgresMachine(Machine):
    """A database of its own for each history; connections that the server ends besides."""

    server: Any = None
    template = ""

    def __init__(self) -> None:
        self.name = self.server.create(self.template)
        self.uri = self.server.uri(self.name)
        super().__init__()

    @rule()
    def connections_end(self) -> None:
        self.server.end_connections(self.name)

    def teardown(self) -> None:
        super().teardown()
        self.server.drop(self.name)


QUICK = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def test_any_history_of_a_memory_store_is_that_of_the_model() -> None:
    """F15, F16, G3, G4, G6."""
    run_machine(Machine, max_examples=60, stateful_step_count=15)


def test_any_history_of_a_sqlite_store_is_that_of_the_model() -> None:
    """F1, F15, F16, G1, G3, G4, G6."""
    run_machine(SqliteMachine, max_examples=15, stateful_step_count=12)


@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_any_history_of_a_postgres_store_is_that_of_the_model(
    postgres: Any, postgres_template: str, examples: int
) -> None:
    """F1, F13, F15, F16, G1, G3, G4, G6."""
    machine = type("OnServer", (PostgresMachine,), {"server": postgres, "template": postgres_template})
    run_machine(machine, max_examples=examples, stateful_step_count=12)


@pytest.mark.slow
def test_many_histories_of_a_sqlite_store_are_those_of_the_model() -> None:
    """F1, F15, F16, G1, G3, G4, G6."""
    run_machine(SqliteMachine, max_examples=300, stateful_step_count=50)


def run_machine(machine: type[Machine], **effort: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=settings(**QUICK, **effort))
