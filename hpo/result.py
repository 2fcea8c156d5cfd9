"""A sweep as Python code and notebooks see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpo import ranking
from hpo.budget import Stop
from hpo.constraints_on_record import is_measured
from hpo.decision import Decision
from hpo.errors import EngineError, NothingFound
from hpo.front import Goals
from hpo.front_on_record import FrontOnRecord, front_of
from hpo.picked import picked
from hpo.space import Value
from hpo.trial import Goal
from trackers.opening import Store, open_store
from trackers.records import ModelVersion, Query, Run

if TYPE_CHECKING:  # for the reader's types only: pandas and matplotlib are imported when a table or a plot is asked for
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True)
class SweepResult:
    """One sweep on record; everything is read from the store when asked for.

    `stop` says why the driver ended (None where the sweep was only loaded), `stopped_before` why an earlier one did
    where there was nothing to do, `registered` what this call registered, `not_registered` why nothing was, `decision`
    what the gates of `register` said. `stands` says that the winner is registered, now or since an earlier call.
    `others` are the metrics after the first, where there are several: then no trial is the best of all, `front` has
    those that no other one beats, and `best_trial` is the one that the rule of the file, `register.pick`, picks.
    """

    uri: str = field(repr=False)  # with its password, where it has one
    run_id: str
    name: str
    metric: str
    goal: Goal
    stop: Stop | None = None
    registered: ModelVersion | None = None
    not_registered: str = ""
    decision: Decision | None = None
    stands: bool = False
    stopped_before: Stop | None = None
    others: Goals = field(default_factory=dict)

    @property
    def goals(self) -> Goals:
        """Which way each metric is better."""
        return {self.metric: self.goal, **self.others}

    def front(self, where: str = "") -> FrontOnRecord:
        """The trials that no other one beats, among those that `where` lets pass; its `members` are their runs.

        EngineError where the sweep has one metric.
        """
        if not self.others:
            raise EngineError(
                f"sweep {self.name} is searched by one metric, {self.metric}: it has a best trial, no front"
            )
        with self._store() as store:
            return front_of(store.tracker, store.tracker.get(self.run_id), where)

    @property
    def best_trial(self) -> Run:
        """The run of the best trial; NothingFound where no trial has a finite value, or several are on the front."""
        if self.others:
            with self._store() as store:
                return picked(store.tracker, store.tracker.get(self.run_id))
        runs = self.best_runs(1)
        if not runs:
            raise NothingFound(f"{self.why_none} in sweep {self.name}; see: hpo trials {self.name}")
        return runs[0]

    @property
    def is_judged(self) -> bool:
        """Whether trials have to satisfy constraints on their metrics to be the best."""
        with self._store() as store:
            return is_measured(store.tracker.get(self.run_id).sweep)

    @property
    def why_none(self) -> str:
        """What is to be said where no trial is the best."""
        satisfies = "satisfies the constraints and " if self.is_judged else ""
        return f"no trial {satisfies}has a finite {self.metric}"

    @property
    def best_params(self) -> Mapping[str, Value]:
        """The best trial's params as the sweep chose them, with their types."""
        best = self.best_trial
        return (best.trial or best).params

    @property
    def best_value(self) -> float:
        """The best trial's value of the sweep's metric; NothingFound where it has several."""
        if self.others:
            names = ", ".join(self.goals)
            raise NothingFound(f"sweep {self.name} has several metrics ({names}); see best_trial.metrics, or front()")
        return self.best_trial.metrics[self.metric]

    def best_runs(self, n: int = 10, where: str = "") -> Sequence[Run]:
        """The runs of the best n trials, best first; of several metrics the front, best in the first metric first."""
        if self.others:
            return self.front(where).members[:n]
        with self._store() as store:
            return ranking.best(store.tracker, self.run_id, self.metric, self.goal, limit=n, where=where)

    def best(self, n: int = 10, where: str = "") -> "DataFrame":
        """The best n trials as a table, best first; `where` filters, as in "params.lr < .01"."""
        from hpo.trials_table import table

        return table(self.best_runs(n, where), has_value=not self.others)

    def trials(self) -> Sequence[Run]:
        """The runs of all trials, by number."""
        with self._store() as store:
            return store.tracker.find(Query(parent=self.run_id))

    def trials_dataframe(self) -> "DataFrame":
        """All trials as a table, by number."""
        from hpo.trials_table import table

        return table(self.trials(), has_value=not self.others)

    def counts(self) -> Mapping[str, int]:
        """How many trials are in each state."""
        with self._store() as store:
            return store.tracker.counts([self.run_id])[self.run_id]

    def plot(self, kind: str = "history") -> "Figure":
        """A matplotlib figure: `history` (values and the best so far) or `parallel` (parallel coordinates).

        Of several metrics these draw the first one, and `front` draws the front by the first two.
        """
        if kind == "front":
            from hpo.plots import plot_front

            return plot_front(self.trials(), self.front())
        from hpo.plots import plot

        return plot(kind, self.trials(), metric=self.metric, goal=self.goal)

    def _repr_html_(self) -> str:
        """Where the sweep stands, its history as a picture, and the best five, for notebooks; all of it escaped."""
        from hpo.report.notebook import notebook_html

        with self._store() as store:
            head = notebook_html(store, store.tracker.get(self.run_id))
        frame = self.best(5)
        return head + str(frame.to_html(index=False, escape=True, border=0))

    def _store(self) -> Store:
        return open_store(self.uri, read_only=True)
