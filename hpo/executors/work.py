"""What stays the same from trial to trial: every worker gets it once, and then runs trials with it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from hpo.attempt import keeps_models, run_attempt
from hpo.errors import HpoError, ObjectiveError
from hpo.executors.result_folder import ResultFolder
from hpo.failure_text import failure_line, failure_traceback
from hpo.front import Goals
from hpo.gathered import Gathered
from hpo.live_trial import Ask
from hpo.objective import Objective, Surroundings, TrialFiles
from hpo.replication import Replication, run_replicates
from hpo.search_path import search_first
from hpo.trial import Goal, Outcome, Trial


@dataclass(frozen=True)
class Work:
    """An objective and what running it needs.

    `scratch` is a folder of this sweep's driver alone; each attempt gets `<scratch>/<number>-<attempt>`, made when the
    objective asks for it and removed afterwards. `search_path` comes first when modules are imported.
    `asks`: trials that report ask whether to go on, and wait for the reply. `others` are the metrics after the first.
    With `replication` each trial runs its point several times.
    `inner_threads` limits the threads of BLAS and OpenMP in each slot; None leaves them alone. `results` is where a
    worker writes down how a trial ended before it tells the driver, which may be dead by then.
    """

    objective: Objective
    metric: str
    goal: Goal
    files: TrialFiles | None
    scratch: Path
    inner_threads: int | None = None
    search_path: Sequence[str] = ()
    results: ResultFolder | None = None
    asks: bool = False
    surroundings: Surroundings | None = None
    others: Goals = field(default_factory=dict)
    replication: Replication | None = None

    def prepare(self) -> None:
        """Gets ready for trials; ObjectiveError where the objective cannot be."""
        search_first(self.search_path)
        if self.surroundings is None:
            self._load()
        else:
            self.surroundings.prepare(self._load)

    def _load(self) -> None:
        prepare = getattr(self.objective, "prepare", None)
        if prepare is None:
            return
        try:
            prepare()
        except HpoError:
            raise
        except Exception as error:
            text = f"the objective cannot get ready: {failure_line(error)}\n{failure_traceback(error)}"
            raise ObjectiveError(text) from error

    def run(self, trial: Trial, ask: Ask) -> Outcome:
        """Runs one attempt in a scratch folder of its own; `ask` is called when it reports, where trials are judged."""
        placed = replace(trial, directory=attempt_folder(self.scratch, trial))
        asking = ask if self.asks else None
        attempt = partial(self._replicates if self.replication else self._attempt, placed, asking)
        try:
            return attempt() if self.surroundings is None else self.surroundings.around(placed, attempt)
        finally:
            remove_folder(placed.directory)

    def _attempt(self, trial: Trial, ask: Ask | None, gathered: Gathered | None = None) -> Outcome:
        return run_attempt(
            self.objective,
            trial,
            metric=self.metric,
            goal=self.goal,
            files=self.files,
            ask=ask,
            others=self.others,
            gathered=gathered,
        )

    def _replicates(self, trial: Trial, ask: Ask | None) -> Outcome:
        if self.replication is None:
            return self._attempt(trial, ask)
        goals = {self.metric: self.goal, **self.others}
        return run_replicates(
            lambda replicate, gathered: self._attempt(replicate, None, gathered),
            trial,
            self.replication,
            goals=goals,
            files=self.files,
            keeps=lambda metrics: keeps_models(metrics, trial, goals),
            ask=ask,
        )

    def save(self, outcome: Outcome) -> Outcome:
        """The same outcome, written down."""
        if self.results is not None:
            self.results.save(outcome)
        return outcome


def attempt_folder(scratch: Path, trial: Trial) -> str:
    """The path of an attempt's scratch folder."""
    return f"{scratch}/{trial.number}-{trial.attempt}"


def remove_folder(directory: str) -> None:
    """Removes a scratch folder if it was made; what cannot be removed stays for `scratch`'s owner."""
    if os.path.lexists(directory):  # most trials never make it, and this is done for each
        shutil.rmtree(directory, ignore_errors=True)
