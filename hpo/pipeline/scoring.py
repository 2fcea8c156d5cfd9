"""Scores the best trials of a taxi sweep on the test month, each fitted again from what is on record of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hpo.errors import HpoError
from hpo.pipeline.prepared import Prepared
from hpo.pipeline.recording import datasets, points
from hpo.pipeline.taxi import errors, fit
from hpo.promotion import label
from trackers.records import Run, RunUpdated
from trackers.tracker import Tracker

CLOSE = 1e-9
"""How far, relatively, a refit may be from what is on record and still be the same forest: rounding, nothing more."""

REFIT_TAG = "hpo.refit"
TEST_TAG = "hpo.data.test"


@dataclass(frozen=True)
class Candidate:
    """One of the best trials, with the sweep's metric on validation and on test.

    `exact` says that fitting it again gave the validation metric on record to the last digit; else it was off by
    rounding.
    """

    run: Run
    number: int
    validation: float
    test: float
    exact: bool


@dataclass(frozen=True)
class Scoring:
    """Scores trials by one metric on the test part of prepared data, and puts the scores on record."""

    tracker: Tracker
    data: Prepared
    metric: str

    def check(self, run: Run) -> None:
        """HpoError where the trial was fitted or validated on other data than this."""
        for name, digest in self.data.digests("train", "validation").items():
            recorded = run.tags.get(name)
            if recorded != digest:
                part = name.rpartition(".")[2]
                raise HpoError(
                    f"{label(run)} saw other {part} data than {self.data.folder} holds: {recorded or 'unknown'} is on "
                    f"record, {digest} is there; name the folder it used (--data), or run the search again"
                )

    def score(self, run: Run) -> Candidate:
        """The trial with its score, which is taken once: a later call for the same test data reads it off the run."""
        recorded = run.tags.get(TEST_TAG) == self.data.digest("test") and f"test_{self.metric}" in run.metrics
        if not recorded:
            self._score(run)
            run = self.tracker.get(run.id)
        return Candidate(
            run,
            run.trial.number if run.trial else -1,
            run.metrics[self.metric],
            run.metrics[f"test_{self.metric}"],
            run.tags.get(REFIT_TAG) == "exact",
        )

    def _score(self, run: Run) -> None:
        # no model file is loaded here: params, seed and data give the same forest again, and that is checked
        forest = fit(run.params, self.data.part("train"), seed=run.trial.seed if run.trial else 0)
        validation = errors(forest, self.data.part("validation"))
        exact = self._compare(run, validation)
        test = errors(forest, self.data.part("test"), prefix="test_")
        tags = {**self.data.digests("test"), REFIT_TAG: "exact" if exact else "rounded"}
        update = RunUpdated(run.id, points=points(test), tags=tags, datasets=datasets(self.data, "test"))
        self.tracker.record([update])

    def _compare(self, run: Run, validation: Mapping[str, float]) -> bool:
        """Whether the refit gave what is on record; HpoError where it differs by more than rounding."""
        recorded, again = run.metrics[self.metric], validation[self.metric]
        if not math.isclose(recorded, again, rel_tol=CLOSE):
            raise HpoError(
                f"{label(run)} cannot be repeated: its {self.metric} on validation is {recorded!r} on record and "
                f"{again!r} when it is fitted again, so its model would be judged by another one's test score; most "
                "likely scikit-learn or the pipeline changed since: run the search again, nothing was registered"
            )
        return recorded == again
