"""What simulate.py puts round the real driver: a clock, workers, a store that costs time, all of them simulated."""

import heapq
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.executor import Answer, Executor, go_on
from hpo.space import Params
from hpo.trial import Outcome, Question, Report, State, Trial
from trackers.records import Artifact, Change, Fence, Point, Query, Run, RunEnded, RunStarted
from trackers.tracker import Tracker

METRIC = "loss"
END, REPORT, BACK = range(3)


@dataclass(frozen=True)
class Setting:
    """One run of the simulation; a window of 0 is a free one. `learns`: random points wait for the window, too."""

    workers: int = 10_000
    trials: int = 200_000
    seconds: float = 60.0
    sigma: float = 0.7
    sampler: str = "random"
    ask: float = 0.0
    store: str = "sqlite"
    over: str = "dask"
    window: int | None = None
    reports: int = 0
    duplicates: str = "replicate"
    learns: bool = False
    lost: float = 0.01
    back_after: float = 30.0
    seed: int = 1

    @property
    def size(self) -> int | None:
        window = 2 * self.workers if self.window is None else self.window
        return window or None


class Clock:
    """Simulated seconds: those of the driver's own CPU, measured while it works, and those charged."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spent = dict.fromkeys(("driver", "store", "messages", "ask", "idle"), 0.0)
        self._mark = time.thread_time()

    def __call__(self) -> float:
        """What the driver reads in the middle of its work."""
        return self.now + time.thread_time() - self._mark

    def milliseconds(self) -> int:
        return round(self.now * 1000)

    def stop(self) -> None:
        """The driver's work stops here and the simulation's own begins, which costs nothing."""
        self.charge("driver", time.thread_time() - self._mark)

    def go(self) -> None:
        """The driver goes on."""
        self._mark = time.thread_time()

    def charge(self, what: str, seconds: float) -> None:
        self.now += seconds
        self.spent[what] += seconds


@dataclass
class Running:
    """One attempt of a trial in a slot; `left` is how many reports are still to come."""

    trial: Trial
    began: float
    step: float
    left: int
    lost: bool
    waited: float = 0.0
    reports: list[Report] = field(default_factory=list)


class Workers:
    """An Executor whose `wait` moves the clock to the next thing that happens."""

    def __init__(self, setting: Setting, clock: Clock, cost: Mapping[str, float]) -> None:
        self._setting = setting
        self._clock = clock
        self._cost = cost
        self._rng = random.Random(setting.seed)
        self._mean = math.log(setting.seconds) - setting.sigma**2 / 2
        self._events: list[tuple[float, int, int, Running | None]] = []
        self._count = 0
        self._down = 0
        self._open = 0
        self._begun = self._ended = 0.0  # sums of the moments at which attempts began and ended
        self.submitted = 0
        self.marks: list[tuple[float, float, int, dict[str, float]]] = []

    @property
    def slots(self) -> int:
        return max(1, self._setting.workers - self._down)

    def submit(self, trial: Trial) -> None:
        clock = self._clock
        clock.stop()
        clock.charge("messages", self._cost["submit"])
        seconds = self._rng.lognormvariate(self._mean, self._setting.sigma)
        lost = self._rng.random() < -math.expm1(-self._setting.lost * seconds / 3600)
        reports = 0 if lost else self._setting.reports
        seconds *= self._rng.random() if lost else 1.0
        running = Running(trial, clock.now, seconds / (reports + 1), reports, lost)
        self._push(clock.now + running.step, REPORT if reports else END, running)
        self._open += 1
        self._begun += clock.now
        self.submitted += 1
        if self.submitted in (min(2 * self._setting.workers, self._setting.trials // 2), self._setting.trials):
            self._mark()
        clock.go()

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        clock, events = self._clock, self._events
        clock.stop()
        deadline = clock.now + (math.inf if timeout is None else timeout)
        outcomes: list[Outcome] = []
        while not outcomes and self._open and clock.now < deadline:
            if events[0][0] > clock.now:
                clock.charge("idle", min(events[0][0], deadline) - clock.now)
            due = clock.now
            while events and events[0][0] <= due:
                at, _, kind, running = heapq.heappop(events)
                if running is None:
                    self._down -= 1
                elif kind == REPORT:
                    outcomes += self._report(at, running, answer)
                else:
                    outcomes.append(self._end(at, running, State.FAILED if running.lost else State.COMPLETE))
        clock.go()
        return outcomes

    def cancel(self, trial: Trial) -> None:
        """Nobody is cancelled here."""

    def close(self) -> None:
        """Nothing is held."""

    def _report(self, at: float, running: Running, answer: Answer) -> list[Outcome]:
        clock, trial = self._clock, running.trial
        clock.charge("messages", self._cost["question"])
        report = Report(
            METRIC, self._rng.random() + 1 / (1 + len(running.reports)), len(running.reports), round(at * 1000)
        )
        running.reports.append(report)
        running.left -= 1
        clock.go()
        stop = answer(Question(trial.number, trial.attempt, [report]))
        clock.stop()
        running.waited += clock.now - at
        if stop:
            return [self._end(at, running, State.PRUNED)]
        self._push(clock.now + running.step, REPORT if running.left else END, running)
        return []

    def _end(self, at: float, running: Running, state: State) -> Outcome:
        clock, trial = self._clock, running.trial
        clock.charge("messages", self._cost["outcome"])
        self._open -= 1
        self._ended += at - running.waited
        seconds, started = at - running.began, round(running.began * 1000)
        if state is State.FAILED:
            self._down += 1
            self._push(at + self._setting.back_after, BACK, None)
            return Outcome(
                trial.number, trial.attempt, state, reason="lost", error="its worker was lost", started=started
            )
        metrics = {METRIC: self._rng.random(), "seconds": seconds} if state is State.COMPLETE else {}
        return Outcome(
            trial.number, trial.attempt, state, metrics, running.reports, started=started, seconds=seconds,
            reason="pruned" if state is State.PRUNED else "",
        )  # fmt: skip

    def _push(self, at: float, kind: int, running: Running | None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, kind, running))

    def _mark(self) -> None:
        """Notes the busy seconds of all workers up to now."""
        now = self._clock.now
        late = sum(now - at for at, _, kind, _ in self._events if kind != BACK and at < now)  # nobody has noticed yet
        self.marks.append(
            (now, self._ended + now * self._open - self._begun - late, self.submitted, dict(self._clock.spent))
        )


class Counts:
    """A Tracker that keeps counts alone, and costs what a store costs."""

    def __init__(self, clock: Clock, cost: Mapping[str, float], shown: Callable[[int], None]) -> None:
        self._clock = clock
        self._cost = cost
        self._shown = shown
        self.commits = self.started = self.ended = self.points = 0

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        clock, cost = self._clock, self._cost
        clock.stop()
        started = sum(type(change) is RunStarted for change in changes)
        ends = [change for change in changes if type(change) is RunEnded and change.trial]
        points = sum(len(change.points) for change in ends)
        more = max(0, points - 2 * len(ends))  # two are in the measured cost of a trial that ends
        clock.charge(
            "store", cost["commit"] + started * cost["started"] + len(ends) * cost["ended"] + more * cost["point"]
        )
        self.commits += 1
        self.started += started
        self.ended += sum(change.trial.state != State.WAITING for change in ends)  # the others run again
        self.points += points
        self._shown(self.ended)
        clock.go()

    def find(self, query: Query) -> Sequence[Run]:
        self._clock.stop()
        self._clock.charge("store", self._cost["commit"])  # a question to the store takes no longer
        self._clock.go()
        return []

    def experiment(self, name: str, artifact_location: str | None = None) -> str:
        return "1"

    def get(self, run_id: str) -> Run:
        raise NotImplementedError

    def history(self, run_id: str, metric: str | None = None) -> Sequence[Point]:
        return []

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        return []

    def counts(self, parents: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        return {}


class Charged:
    """A Sampler whose every ask costs so much simulated time."""

    def __init__(self, rest: object, clock: Clock, seconds: float) -> None:
        self._rest = rest
        self._clock = clock
        self._seconds = seconds
        self.tell = rest.tell
        self.redraw = rest.redraw

    def ask(self, numbers: range) -> Sequence[Params]:
        self._clock.charge("ask", self._seconds * len(numbers))
        return self._rest.ask(numbers)


_: tuple[type[Executor], type[Tracker]] = (Workers, Counts)
