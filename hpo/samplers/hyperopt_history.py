"""Told trials as hyperopt's, all of them or a shortlist, so that its tpe does not get slower with every trial."""

import math
from collections.abc import Mapping

from hyperopt import JOB_STATE_DONE, STATUS_FAIL, STATUS_OK, Trials, trials_from_docs

from hpo.samplers.shortlist import GOOD, Shortlist

Document = Mapping[str, object]
_GAMMA = 0.25  # hyperopt's own


class History:
    """Told trials in the order told; `limit` says how many of them hyperopt looks at, None all."""

    def __init__(self, limit: int | None) -> None:
        self._empty = Trials()
        self._all: list[Document] = []
        self._shortlist: Shortlist[Document] | None = Shortlist(limit) if limit else None
        self._shown: Trials | None = self._empty

    def add(self, number: int, loss: float | None, vals: Mapping[str, list[float]]) -> None:
        """Takes in an ended trial; None, which is worse than any loss, where it has no value to learn from."""
        result = {"status": STATUS_FAIL} if loss is None else {"status": STATUS_OK, "loss": loss}
        misc = {"tid": number, "cmd": None, "idxs": {name: [number] * len(vals[name]) for name in vals}, "vals": vals}
        (document,) = self._empty.new_trial_docs([number], [None], [result], [misc])
        document["state"] = JOB_STATE_DONE
        if self._shortlist is None:
            self._all.append(document)
        else:
            self._shortlist.add((math.inf if loss is None else loss,), document)
        self._shown = None

    def trials(self) -> Trials:
        """What hyperopt may look at now; not to be changed."""
        if self._shown is None:
            documents = self._all if self._shortlist is None else self._shortlist.items()
            self._shown = trials_from_docs(documents, validate=False)
        return self._shown

    def gamma(self, given: object) -> float:
        """The gamma by which as many of the shown trials count as good as the one given would take of all told ones.

        hyperopt takes ceil(gamma * sqrt(trials)), at most 25 (hyperopt.tpe, `ap_split_trials`). The value itself where
        all are shown.
        """
        gamma = float(given) if isinstance(given, int | float) else _GAMMA
        shown, told = len(self.trials()), self._shortlist.added if self._shortlist else len(self._all)
        if shown == told:
            return gamma
        good = min(math.ceil(gamma * math.sqrt(told)), GOOD)
        return max(good - 0.5, 0) / math.sqrt(shown)  # half a trial less, lest rounding makes it one more
