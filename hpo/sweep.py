"""The driver: asks a sampler for trials, runs them in slots, records them, and stops when the budget is used up."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hpo.budget import Judge, Stop
from hpo.duplicates import REPLICATE, REUSED_TAG, Duplicates, final_metrics, own_metrics
from hpo.executor import Executor, FinishedResults
from hpo.idle_slots import IdleSlots
from hpo.interruption import Interruption
from hpo.kept_models import ModelKeeping
from hpo.losses import LossCount, Losses, lost_for_good
from hpo.outdated_replicates import outdated
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.pruner import Pruner
from hpo.pruning import Pruning, recorded_curve
from hpo.sampler import Sampler
from hpo.sweep_records import SweepRecords, next_attempt
from hpo.tally import Tally
from hpo.trial import Metrics, Outcome, Question, Result, State, Trial, derive_seed
from hpo.watcher import Watcher
from hpo.window import Window
from trackers.errors import NotFound, StoreUnavailable
from trackers.failpoints import reach
from trackers.records import Change, Fence, LoggedModel, Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

TICK = 0.2
"""Seconds after which the driver looks up from waiting: for signals, and to let the watcher show the time."""


SLOW_ASK = 0.002
"""Seconds of an ask from which on results are put on record before the next one and not together with it."""


HELD_UP = 0.02
"""Seconds after which trials that were asked for start before more of them are."""


AT_ONCE = 100
"""Trials that are taken over in a row before they are put on record."""


class Sweep:
    """Runs one search to its end. Everything it needs to go on stands in the store, nothing in this object.

    `clock` gives seconds that never go back: those of the budget.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        sampler: Sampler,
        executor: Executor,
        tracker: Tracker,
        records: SweepRecords,
        models: ModelKeeping,
        interruption: Interruption,
        fence: Fence | None = None,
        results: FinishedResults | None = None,
        pruner: Pruner | None = None,
        duplicates: str = REPLICATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._sampler = sampler
        self._executor = executor
        self._tracker = tracker
        self._records = records
        self._judge = Judge(plan.budget, plan.goal, tuple(plan.others.values()))
        self._window = Window(plan.window, self._tell, None if plan.learns else self._judge.spare)
        self._pruning = Pruning(pruner, plan.metric)
        self._models = models
        self._interruption = interruption
        self._results = results
        self._losses = LossCount()
        self._duplicates = Duplicates(duplicates)
        self._fence = fence
        self._clock = clock
        self._tally = Tally(plan, clock)
        self._idle = IdleSlots(clock)
        self._is_held = False  # by the window
        self._open: dict[int, Trial] = {}
        self._starting: list[Trial] = []  # these three are not on record yet
        self._ended: list[tuple[Trial, Outcome, Progress]] = []
        self._changes: list[Change] = []
        self._ask_seconds = 0.0
        self._ahead: deque[Trial] = deque()  # asked for before there is a slot
        self._is_broken_off = False  # there may be more to start at once
        self._again: list[Trial] = []
        self._interrupted: list[Trial] = []
        self._next = 0

    def take_up(self, history: Sequence[Run], seconds: float, finished: Sequence[Outcome] = ()) -> None:
        """Goes on from what the store knows: ended trials count, open ones run again with the same params.

        `finished` is how RUNNING ones ended of which the driver died before it had recorded that. Where trials are
        pruned, `history` is to hold the points of the metric.
        """
        adopted = {outcome.number for outcome in finished}
        self._tally.go_on_from(seconds)
        known = {run.trial.number: run for run in history if run.trial is not None}
        for number, run in sorted(known.items()):
            trial, (state, value, reason) = self._records.trial_of(run), _end_of(run)
            self._next = max(self._next, number + 1)
            self._losses.remember(number, run.tags)
            self._duplicates.asked(trial.params)
            self._duplicates.ended(trial, partial(own_metrics, run.metrics))
            if state is State.RUNNING and number in adopted:
                self._open[number] = trial
                continue
            if state in (State.WAITING, State.RUNNING):
                self._again.append(next_attempt(trial))
                continue
            values = self._values(run.metrics, state)
            value = None if self._plan.others and not values else value
            far = self._records.violation_of(state, run.metrics)
            result = Result(state, value, reason, recorded_curve(run.points, state), values, far)
            self._end(trial, result)
            self._changes += self._kept(trial, result, run.models, run.tags)
        self._take([outcome for outcome in finished if outcome.number in self._open])
        reach("take_up.done")

    def run(self, watcher: Watcher) -> Stop:
        """Runs until the budget is used up and every open trial has ended; says why no more were asked for.

        However it ends, nothing stays RUNNING: what was open is put back to WAITING and the sweep can go on later.
        """
        self._tally.begin()
        with self._interruption.shielded():
            watcher.started(self.progress())
            try:
                stop = self._run(watcher)
            except StoreUnavailable:
                self._take(self._executor.wait(0, self._answer))  # what ended meanwhile need not run again
                self._put_back()
                raise
            except BaseException:
                self._put_back()
                raise
            if stop is Stop.INTERRUPTED:
                self._put_back()
            else:
                reach("sweep_end.before_commit")
                self._record([self._records.sweep_ended(self.progress(), stop)])
                reach("sweep_end.after_commit")
                if advice := self._idle.advice(self._plan):
                    log.warning("%s", advice)
            return stop

    def progress(self) -> Progress:
        """Where the sweep stands now."""
        return self._tally.progress(running=self._taken, waiting=len(self._again))

    @property
    def _taken(self) -> int:
        """How many slots have a trial."""
        return len(self._open) + len(self._starting) - len(self._ended)

    def _note_idle(self) -> None:
        slots = self._executor.slots
        self._idle.note(idle=slots - self._taken if self._is_held else 0, slots=slots)

    def _run(self, watcher: Watcher) -> Stop:
        while True:
            self._is_broken_off = False
            stop = None if self._interruption.asked else self._fill_slots()
            self._note_idle()
            self._commit(watcher)
            if self._interruption.over or (self._interruption.asked and not self._open):
                return Stop.INTERRUPTED
            if not self._open and not self._again:
                if stop is None:  # all trials there could be were taken over, and there may be more of them
                    continue
                return stop
            timeout = 0 if self._is_broken_off or self._ask_ahead() else TICK
            with self._interruption.waiting():
                outcomes = self._executor.wait(timeout, self._answer)
            self._take(outcomes)
            if self._ask_seconds > SLOW_ASK and not self._ahead:  # what has ended should not wait for it
                self._commit(watcher)

    def _fill_slots(self) -> Stop | None:
        """Finds a trial for every free slot, as far as window and budget allow; why not, where the budget does not.

        Where asking takes time, those that were asked for start before the others are.
        """
        began = self._clock()
        self._is_held = False
        while self._taken < self._executor.slots:
            if self._pruning.judges and self._ask_seconds > SLOW_ASK:  # trials wait for replies meanwhile
                self._take(self._executor.wait(0, self._answer))
            if self._again and not self._may_run_again(self._again[0]):
                return None
            trial = self._again.pop(0) if self._again else None
            if trial is None and self._ahead:
                if self._judge.is_late(self.progress().seconds):
                    return Stop.TIMEOUT
                trial = self._ahead.popleft()
            if trial is None:
                if not self._window.admits(self._next):
                    self._is_held = self._next < self._plan.budget.n_trials
                    return None
                stop = self._judge.verdict(self._next, self.progress().seconds)
                trial = None if stop else self._ask()
                if trial is None:
                    return stop or Stop.EXHAUSTED
            if self._take_over(trial):
                if len(self._ended) >= AT_ONCE:
                    return None
                continue
            self._starting.append(self._models.place(trial))
            if self._clock() - began > HELD_UP:
                self._is_broken_off = True
                return None
        return None

    def _ask_ahead(self) -> bool:
        """Asks for a trial before there is a slot for it, where that takes time; whether it did.

        It is the very trial that would be asked for later, since the window says what it knows.
        """
        if self._ask_seconds < SLOW_ASK or len(self._ahead) >= self._executor.slots or not self._may_ask_ahead:
            return False
        if not self._window.admits(self._next) or self._judge.verdict(self._next, self.progress().seconds):
            return False
        trial = self._ask()
        if trial is not None:
            self._ahead.append(trial)
        return trial is not None

    @property
    def _may_ask_ahead(self) -> bool:
        is_the_same_later = self._plan.window is not None and not self._duplicates.reuses
        return is_the_same_later and not self._interruption.asked

    def _may_run_again(self, trial: Trial) -> bool:
        """Whether all that a pruner has to know to judge it is told; the first in order always may, in time."""
        return not self._pruning.judges or self._window.admits(trial.number)

    def _answer(self, question: Question) -> bool:
        """Whether a trial that has reported is to stop."""
        trial = self._open.get(question.number)
        return trial is None or trial.attempt != question.attempt or self._pruning.answer(trial, question)

    def _ask(self) -> Trial | None:
        number, began = self._next, self._clock()
        asked = self._sampler.ask(range(number, number + 1))
        self._ask_seconds = self._clock() - began
        if not asked:
            return None
        self._next += 1
        params = self._duplicates.fresh(number, asked[0], self._sampler.redraw)
        self._ask_seconds = self._clock() - began
        self._duplicates.asked(params)
        return self._records.new_trial(number, params, derive_seed(self._plan.seed, number))

    def _take_over(self, trial: Trial) -> bool:
        """Ends a new trial at once where its point is known; whether it did."""
        earlier = self._duplicates.earlier(trial)
        if earlier is None:
            return False
        self._changes.append(self._records.trial_started(trial))
        self._open[trial.number] = trial
        self._take([earlier.outcome(trial, self._records.clock())])
        return True

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        """Takes in what ended; it counts at once, and stands on record after the next commit."""
        for outcome in outcomes:
            trial = self._open.get(outcome.number)
            if trial is None or trial.attempt != outcome.attempt:
                log.warning("trial %d: a late result of attempt %d was refused", outcome.number, outcome.attempt)
                continue
            if self._interruption.asked and outcome.reason.startswith("signal:"):
                # whoever ends the driver by a signal to all its processes does not mean that the trial failed
                self._interrupted.append(self._open.pop(outcome.number))
                continue
            if losses := self._losses.count(outcome):
                if losses.run_again:
                    self._put_back_lost(trial, outcome, losses)
                    continue
                outcome = lost_for_good(outcome, losses)
            ending = self._records.ending(trial, outcome)
            outcome, value = ending.outcome, ending.value
            self._duplicates.ended(trial, partial(final_metrics, outcome))
            curve = self._pruning.curve_of(outcome)
            values = self._values(outcome.metrics, outcome.state)
            far = self._records.violation_of(outcome.state, outcome.metrics)
            result = Result(outcome.state, value, outcome.reason, curve, values, far)
            best_is_new = self._end(trial, result)
            gone = outdated(self._tracker, trial, outcome, self._records.clock())
            self._changes += [ending.change, *gone, *ending.below]
            self._changes += self._kept(trial, result, ending.change.models, outcome.tags)
            if best_is_new:
                self._changes.append(self._records.best_found(self.progress()))
            self._ended.append((trial, outcome, self.progress()))

    def _commit(self, watcher: Watcher) -> None:
        """Puts on record what ended and what starts, in one transaction; only then tells and submits."""
        if not self._ended and not self._starting:
            watcher.waiting(self.progress())
            return
        started = [self._records.trial_started(trial) for trial in self._starting]
        holds = [name for name, trials in (("finish", self._ended), ("start", self._starting)) if trials]
        _reach(holds, "before_commit")
        self._record([*self._changes, *started, self._records.sweep_updated(self.progress())])
        _reach(holds, "after_commit")
        ended, starting = self._ended, self._starting
        for trial, _, _ in ended:
            del self._open[trial.number]
        self._open.update({trial.number: trial for trial in starting})
        # in this order `_put_back` is right also where a KeyboardInterrupt comes in between: not all watch signals
        self._changes, self._ended, self._starting = [], [], []
        for trial in starting:
            self._executor.submit(trial)
        self._forget([outcome for _, outcome, _ in ended])
        reach("model.before_delete")
        self._models.delete_dropped()
        for trial, outcome, progress in ended:
            reach("print.before")
            watcher.trial_ended(trial, outcome, progress)

    def _record(self, changes: Sequence[Change]) -> None:
        self._tracker.record(changes, self._fence)

    def _end(self, trial: Trial, result: Result) -> bool:
        """Takes in an ended trial; whether it is the best so far (of equals the lowest number)."""
        self._window.end(trial, result)
        return self._tally.end(trial, result)

    def _kept(
        self, trial: Trial, result: Result, models: Sequence[LoggedModel], tags: Mapping[str, str]
    ) -> Sequence[Change]:
        """What becomes of the models of an ended trial, and of those it beats: none where it violates constraints, or
        was not run itself."""
        if not result.is_feasible or REUSED_TAG in tags:
            return self._models.add(trial, None, models)
        return self._models.add(trial, result.value, models, result.values)

    def _values(self, metrics: Metrics, state: State) -> tuple[float, ...]:
        """The values of all metrics of a trial, where there are several and it has them."""
        is_wanted = self._plan.others and state is State.COMPLETE and self._plan.goals.keys() <= metrics.keys()
        return tuple(metrics[name] for name in self._plan.goals) if is_wanted else ()

    def _tell(self, trial: Trial, result: Result) -> None:
        self._duplicates.tell(trial, result)
        self._sampler.tell(trial, result)
        self._pruning.tell(trial, result)
        self._judge.tell(trial, result)

    def _put_back_lost(self, trial: Trial, outcome: Outcome, losses: Losses) -> None:
        """The trial runs again with its number and params, as the next attempt: it lost its worker, not its case."""
        del self._open[trial.number]
        self._changes.append(self._records.trial_put_back(trial, losses.tags))
        self._again.append(next_attempt(trial))
        self._again.sort(key=lambda again: again.number)
        text = "trial %d: %s; worker replaced, trial put back as attempt %d"
        log.warning(text, trial.number, outcome.error, trial.attempt + 1)

    def _forget(self, outcomes: Sequence[Outcome]) -> None:
        """They are on record now, so nobody needs to find them elsewhere."""
        if self._results is not None:
            for outcome in outcomes:
                self._results.forget(outcome)

    def _put_back(self) -> None:
        """Leaves nothing RUNNING behind: what ended is put on record, what was open is WAITING."""
        self._executor.close()
        ended = {trial.number for trial, _, _ in self._ended}
        interrupted = [trial for trial in self._open.values() if trial.number not in ended] + self._interrupted
        unsure = [trial for trial in self._starting if trial.number not in self._open]
        self._open.clear()
        self._starting.clear()
        self._ended.clear()
        self._again += interrupted
        waiting = [self._records.trial_put_back(trial) for trial in interrupted]
        reach("put_back.before_commit")
        self._record([*self._changes, *waiting, self._records.sweep_interrupted(self.progress())])
        reach("put_back.after_commit")
        started = [trial for trial in unsure if self._is_on_record(trial)]
        if started:
            self._record([self._records.trial_put_back(trial) for trial in started])

    def _is_on_record(self, trial: Trial) -> bool:
        try:
            self._tracker.get(trial.run_id)
        except NotFound:
            return False
        return True


def _reach(holds: Sequence[str], moment: str) -> None:
    for name in holds:
        reach(f"{name}.{moment}")


def _end_of(run: Run) -> tuple[State, float | None, str]:
    facts = run.trial
    return (State(facts.state), facts.value, facts.reason) if facts else (State.FAILED, None, "")
