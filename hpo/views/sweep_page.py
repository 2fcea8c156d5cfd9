"""Everything that the page of one sweep shows above its trials."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.decision import DECISION_TAG, Decision
from hpo.progress import PROGRESS_TAG
from hpo.views.commands import Commands, named
from hpo.views.live_table import LiveTable
from hpo.views.space_fields import recorded_space, space_fields
from hpo.views.sweep_fields import DriverFields, commands_for, is_to_register, left, status_of, sweep_details, sweep_row
from hpo.views.sweep_list import driver_of, is_ambiguous, registered_by_sweep
from hpo.views.winner_fields import winner_fields
from trackers.opening import Store
from trackers.records import Run

_BY_EACH_TRIAL = (PROGRESS_TAG, "hpo.best_")
"""Tags that change with trials: what they say is told anyway."""


@dataclass(frozen=True)
class SweepPage:
    """One sweep as it stands: its run, its trials in memory, and what runs that others wrote are valued by.

    `driver` is who drives it, `registered` its versions in the registry, as far as that was looked up.
    """

    run: Run
    table: LiveTable
    metric: str | None
    driver: DriverFields | None = None
    registered: Sequence[Mapping[str, object]] = ()

    def best(self) -> dict[str, object] | None:
        """Value, number and run id of the best trial."""
        best = self.table.best()
        return None if best is None else {"value": best[0], "number": best[1], "id": best[2]}

    def chosen(self) -> tuple[float, int | None, str] | None:
        """Value, number and run id of the trial that was picked, else of the best; None where nobody can tell: of a
        front none is the best, and of runs that others wrote no goal is on record."""
        decision = Decision.from_json(self.run.tags.get(DECISION_TAG, ""))
        number = decision.winner if decision else None
        for head in self.table.numbered([] if number is None else [number]):
            return head.value or 0.0, head.number, head.run_id
        return self.table.best() if len(self.table.goals) == 1 else None

    def stands(self) -> dict[str, object]:
        """The few fields that change while a sweep runs; `details` is another text once the others have to be read
        anew: who drives it, why it stopped, what was decided, what was registered."""
        counts = self.table.counts()
        return {
            "status": status_of(self.run),
            "counts": counts,
            "best": self.best(),
            "left": left(self.run, counts),
            "started": self.run.started,
            "ended": self.run.ended,
            "driver": None if self.driver is None else vars(self.driver),
            "details": self._details(),
        }

    def _details(self) -> str:
        said = sorted((key, value) for key, value in self.run.tags.items() if not key.startswith(_BY_EACH_TRIAL))
        return hashlib.sha256(repr((self.run.status, self.driver, self.registered, said)).encode()).hexdigest()[:16]

    def whole(self, store: Store, *, now: int, commands: Commands) -> Mapping[str, object]:
        """All that is known."""
        run, winner = self.run, winner_fields(store, self.run, self.chosen())
        ambiguous, driver = is_ambiguous(store, run), driver_of(store, run)
        if driver and self.driver and driver.alive is None and driver.text == self.driver.text:
            driver = self.driver  # who watched it may know more than one look tells
        registered = registered_by_sweep(store.registry.versions()).get(run.id, ())
        return {
            **sweep_row(run, counts=self.table.counts(), now=now, registered=registered),
            **self.stands(),
            "ambiguous": ambiguous,
            "revision": self.table.revision,
            "metric": self.metric,
            "goal": self.table.goal.value,
            "goal_is_known": run.sweep is not None,
            "winner": winner,
            "space": space_fields(recorded_space(run)),
            **sweep_details(run, driver=driver),
            "commands": commands_for(
                run,
                commands,
                called=run.id if ambiguous else named(run),
                driver=driver,
                may_register=winner is not None and bool(winner["keeps_model"] or is_to_register(run)),
            ),
        }
