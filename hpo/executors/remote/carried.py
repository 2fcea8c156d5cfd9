"""Work on its way to a worker of another machine: its objective as bytes, and no more of its secrets than need be."""

import os
import pickle
from dataclasses import replace
from typing import TypeVar

import cloudpickle  # type: ignore[import-untyped]  # it has no types

from hpo.errors import HpoError, ObjectiveError
from hpo.executors.work import Work
from hpo.failure_text import failure_line
from hpo.masking import Secrets
from hpo.objective import Objective, TrialContext
from hpo.space import Params
from hpo.trial import Metrics

_Part = TypeVar("_Part")


class Carried:
    """The pickled objective inside; a slot host hands it on to its worker without loading anything itself."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled
        self._objective: Objective | None = None

    @property
    def secrets(self) -> Secrets:
        """The objective's, which are to be masked in what comes of it."""
        secrets: Secrets = getattr(self._objective, "secrets", Secrets())
        return secrets

    def prepare(self) -> None:
        """Loads the objective and gets it ready; ObjectiveError where it cannot be loaded, or lacks a secret."""
        prepare = getattr(self._loaded(), "prepare", None)
        if missing := [name for name in sorted(self.secrets.variables) if not os.environ.get(name)]:
            raise ObjectiveError(f"objective.secret_env: not set in the environment: {', '.join(missing)}")
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
            self._objective = _arrived(objective)
        return self._objective


def carried(work: Work) -> bytes:
    """The work as it is sent; ObjectiveError where it cannot be.

    Of its secrets only what trials need: params, and what the surroundings are told. See `secrets_sent`.
    """
    try:
        light = Carried(cloudpickle.dumps(_sent(work.objective, work)))
        pickled: bytes = cloudpickle.dumps(replace(work, objective=light, files=_sent(work.files, work)))
    except Exception as error:
        raise ObjectiveError(
            f"the objective cannot be sent to the cluster: {failure_line(error)}; name it as 'module:function'"
        ) from error
    return pickled


def arrived(work: Work) -> Work:
    """The work on the other machine."""
    return replace(work, files=_arrived(work.files))


def secrets_sent(work: Work) -> Secrets:
    """The secrets that travel with the work."""
    secrets: Secrets = getattr(_sent(work.objective, work), "secrets", Secrets())
    return secrets


def _sent(part: _Part, work: Work) -> _Part:
    sent_with = getattr(part, "sent_with", None)
    made: _Part = sent_with(repr(work.surroundings)) if sent_with else part
    return made


def _arrived(part: _Part) -> _Part:
    arrived = getattr(part, "arrived", None)
    made: _Part = arrived(os.environ) if arrived else part
    return made


_: type[Objective] = Carried
