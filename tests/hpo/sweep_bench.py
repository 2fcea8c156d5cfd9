"""Where tests of the driver run sweeps: on the reference tracker, by real executors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hpo.budget import Stop
from hpo.executors.names import make_executor
from hpo.interruption import Interruption
from hpo.kept_models import FrontModels, KeptModels
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.pruner import Pruner
from hpo.sampler import Sampler
from hpo.space import Params
from hpo.sweep import Sweep
from hpo.sweep_records import SweepRecords
from hpo.trial import Trial
from hpo.watcher import Silence
from trackers.memory_tracker import MemoryTracker
from trackers.records import Query, Run, RunStarted, SweepFacts

Objective = Callable[[Params, TrialContext], float | Mapping[str, float]]


@dataclass
class Bench:
    """A sweep on a tracker that outlives it; `ran` is for objectives that note which trials they ran."""

    scratch: Path
    settings: SweepFacts = field(default_factory=lambda: SweepFacts("{}", "hash", "loss", "minimize", 1, 1))
    tracker: MemoryTracker = field(default_factory=MemoryTracker)
    parent: str = "f" * 32
    ran: list[int] = field(default_factory=list)
    ids: int = 0

    def __post_init__(self) -> None:
        self.tracker.experiment("bench")
        self.tracker.record([RunStarted(self.parent, "bench", "bench", started=1, sweep=self.settings)])

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:032x}"

    def drive(
        self,
        plan: Plan,
        sampler: Sampler,
        objective: Objective,
        *,
        backend: str = "serial",
        slots: int = 1,
        watcher: Silence | None = None,
        interruption: Interruption | None = None,
        pruner: Pruner | None = None,
        duplicates: str = "replicate",
    ) -> Stop:
        """Goes on with the sweep, by a driver that knows nothing but the store; why it ended."""
        executor = make_executor(
            backend,
            slots=slots,
            objective=objective,
            metric=plan.metric,
            goal=plan.goal,
            others=plan.others,
            files=None,
            scratch=self.scratch,
            inner_threads=None,
            asks=pruner is not None,
        )
        goals = tuple(plan.goals.values())
        try:
            sweep = Sweep(
                plan,
                sampler=sampler,
                executor=executor,
                tracker=self.tracker,
                records=SweepRecords(self.parent, "bench", plan.metric, "mem", "me", lambda: 1000, self.new_id),
                models=FrontModels(goals, _gone) if plan.others else KeptModels(1, plan.goal, _gone),
                interruption=interruption or Interruption(),
                pruner=pruner,
                duplicates=duplicates,
            )
            sweep.take_up(self.tracker.find(Query(parent=self.parent, points_of=plan.metric)), 0.0)
            return sweep.run(watcher or Silence())
        finally:
            executor.close()

    def trials(self, state: str | None = None) -> list[Run]:
        found = self.tracker.find(Query(parent=self.parent))
        return [run for run in found if state is None or (run.trial and run.trial.state == state)]

    def tags(self) -> Mapping[str, str]:
        return self.tracker.get(self.parent).tags


def _gone(trial: Trial, path: str) -> None:
    """Takes a model away: there are no files here."""
