"""Points that are proposed twice: run again, taken over from the trial that ran, or replaced by another point."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hpo.space import Params
from hpo.sweep_records import points
from hpo.trial import Metrics, Outcome, Result, State, Trial
from trackers.rows import latest, metric_row

REPLICATE, REUSE, RESAMPLE = "replicate", "reuse", "resample"
REUSED_TAG = "hpo.reused_from"
"""On a trial that was not run: the run of the same point whose metrics it has."""
TRIES = 20
"""How often another point is asked for; where all of them were there, the first one is run once more."""

Redraw = Callable[[int, int], Params | None]
"""Another point for a trial's number, attempt 1, 2, ..; None where there is none."""


@dataclass(frozen=True)
class Earlier:
    """A complete trial of the same point."""

    run_id: str
    metrics: Metrics

    def outcome(self, trial: Trial, now: int) -> Outcome:
        """What a trial of that point ends with at once; `now` is milliseconds since 1970."""
        tags = {REUSED_TAG: self.run_id}
        return Outcome(trial.number, trial.attempt, State.COMPLETE, metrics=self.metrics, tags=tags, started=now)


class Duplicates:
    """Follows the points of one sweep, as far as its rule needs it.

    `resample` compares with all points asked for before, which depend on nothing but their numbers. `reuse` takes over
    from complete trials that were told, so by the window, and of several from the first: the same trials are taken
    over for any number of workers and after any interruption. Failed and pruned ones are run again.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._asked: set[str] = set()
        self._ended: dict[int, Earlier] = {}
        self._known: dict[str, Earlier] = {}

    @property
    def reuses(self) -> bool:
        """Whether trials are taken over from earlier ones."""
        return self._rule == REUSE

    def fresh(self, number: int, params: Params, redraw: Redraw) -> Params:
        """The point to run where `params` were asked for; the same where they are new, or there is no other."""
        if self._rule != RESAMPLE or _key(params) not in self._asked:
            return params
        for attempt in range(1, TRIES + 1):
            other = redraw(number, attempt)
            if other is None:
                break
            if _key(other) not in self._asked:
                return other
        return params

    def asked(self, params: Params) -> None:
        """This point has a trial."""
        if self._rule == RESAMPLE:
            self._asked.add(_key(params))

    def ended(self, trial: Trial, metrics: Callable[[], Metrics]) -> None:
        """A trial is complete; it is known once it is told."""
        if self._rule == REUSE:
            self._ended[trial.number] = Earlier(trial.run_id, metrics())

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial when its turn comes."""
        earlier = self._ended.pop(trial.number, None)
        if earlier and result.state is State.COMPLETE:
            self._known.setdefault(_key(trial.params), earlier)

    def earlier(self, trial: Trial) -> Earlier | None:
        """The trial to take over from; None where this one is to be run."""
        return self._known.get(_key(trial.params)) if self._rule == REUSE else None


def final_metrics(outcome: Outcome) -> Metrics:
    """The metrics of an ended trial as the store will have them."""
    rows = latest(map(metric_row, points(outcome)))
    return {name: row.number for name, row in rows.items()}


def own_metrics(metrics: Mapping[str, float]) -> Metrics:
    """The metrics of a trial on record but those that judging it as a finalist has added."""
    names = set(metrics)
    added = {f"{prefix}{name}" for prefix in ("test_", "seeds_mean_", "seeds_std_") for name in names}
    return {name: value for name, value in metrics.items() if name not in added}


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)  # which tells True from 1 from 1.0
