"""From names in a sweep file to an estimator with a trial's params set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline

from hpo.errors import ObjectiveError
from hpo.objectives.importing import locate
from hpo.space import Params

LITERALS = ("passthrough", "drop")


class Estimator(Protocol):
    """The part of scikit-learn's estimators that is used here."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Parameters by name."""
        ...

    def set_params(self, **params: object) -> "Estimator":
        """Sets parameters by name, `step__name` for those of a step."""
        ...

    def fit(self, x: object, y: object) -> "Estimator":
        """Learns."""
        ...


@dataclass(frozen=True)
class ModelPlan:
    """How the estimator of a trial is made: one `estimator`, or pipeline `steps` of (name, dotted path).

    `components` says for a parameter such as `clf` which dotted path each of its choices puts into that place.
    """

    estimator: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    components: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def build(self, params: Params, seed: int) -> Estimator:
        """A fresh estimator: components first, then all other params; every `random_state` not given is the seed."""
        estimator = self._bare()
        chosen = [name for name in params if name in self.components]
        for name in sorted(chosen, key=lambda name: name.count("__")):  # an outer one before what stands inside it
            estimator.set_params(**{name: self.component(name, params[name])})
        estimator.set_params(**{name: value for name, value in params.items() if name not in self.components})
        estimator.set_params(**{name: seed for name in _open_seeds(estimator) if name not in params})
        return estimator

    def component(self, name: str, choice: object) -> object:
        """What a choice of a component stands for; ObjectiveError where the choice is not known."""
        choices = self.components[name]
        if not isinstance(choice, str) or choice not in choices:
            raise ObjectiveError(f"parameters.{name}: {choice!r} stands for no estimator; known: {', '.join(choices)}")
        return _made(choices[choice], f"parameters.{name}.choices.{choice}")

    def is_classifier(self) -> bool:
        """Whether classes are predicted."""
        return bool(is_classifier(self._bare()))

    def _bare(self) -> Estimator:
        if self.estimator:
            made = _made(self.estimator, "estimator")
        else:
            made = Pipeline([(name, _made(path, f"pipeline.{name}")) for name, path in self.steps])
        if not (hasattr(made, "fit") and hasattr(made, "set_params")):
            raise ObjectiveError(f"estimator: {self.estimator} must have fit and set_params, got {type(made).__name__}")
        return cast(Estimator, made)


def _open_seeds(estimator: Estimator) -> list[str]:
    return [
        name
        for name, value in estimator.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    ]


def _made(path: str, place: str) -> object:
    if path in LITERALS:
        return path
    try:
        found = locate(path)
    except ObjectiveError as error:
        raise ObjectiveError(f"{place}: {error}") from error
    if hasattr(found, "get_params") and not isinstance(found, type):
        return clone(found)
    if not callable(found):
        raise ObjectiveError(f"{place}: {path} must be an estimator class, got {type(found).__name__}")
    try:
        return found()
    except Exception as error:
        raise ObjectiveError(f"{place}: {path}() failed: {type(error).__name__}: {error}") from error
