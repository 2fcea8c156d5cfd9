"""An objective on its way to a worker: bytes, until it is asked to get ready there."""

import pickle

from hpo.errors import HpoError, ObjectiveError
from hpo.failure_text import failure_line
from hpo.objective import Objective, TrialContext
from hpo.space import Params
from hpo.trial import Metrics


class Carried:
    """The pickled objective inside; a slot host hands it on to its worker without loading anything itself."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled
        self._objective: Objective | None = None

    def prepare(self) -> None:
        """Loads the objective and gets it ready; ObjectiveError where it cannot be loaded."""
        prepare = getattr(self._loaded(), "prepare", None)
        if prepare is not None:
            prepare()

    def __call__(self, params: Params, trial: TrialContext) -> float | Metrics:
        """What the objective returns."""
        return self._loaded()(params, trial)

    def _loaded(self) -> Objective:
        if self._objective is None:
            try:
                objective: Objective = pickle.loads(self._pickled)  # noqa: S301  # made by our own driver
            except HpoError:
                raise
            except BaseException as error:
                text = f"the objective cannot be loaded in a worker process: {failure_line(error)}"
                raise ObjectiveError(text) from error
            self._objective = objective
        return self._objective


_: type[Objective] = Carried
