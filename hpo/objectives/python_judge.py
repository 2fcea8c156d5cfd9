"""The user's own function, named `module:function`, that scores a model on held-out data."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hpo.errors import ObjectiveError
from hpo.objective import ModelJudge
from hpo.objectives.python_objective import function_named
from hpo.trial import Metrics

PREFIX = "test_"


@dataclass(frozen=True)
class PythonJudge:
    """Calls `function(model)` with a fitted model; a number it returns is the score of `metric`, the sweep's metric.

    Only the name travels to workers. What it returns is named `test_<name>`, whether it says so itself or not.
    """

    entry: str
    metric: str
    search_path: Sequence[str] = ()

    def resolve(self) -> Callable[[object], object]:
        """The function; ObjectiveError where it cannot be imported or does not take one model."""
        found = function_named(self.entry, self.search_path, takes="model", key="register.test")
        try:
            inspect.signature(found).bind(object())
        except TypeError as error:
            signature = inspect.signature(found)
            raise ObjectiveError(
                f"{self.entry} must take one argument, the model; its signature is {signature}"
            ) from error
        except ValueError:  # some functions written in C do not tell
            pass
        return found

    def prepare(self) -> None:
        """Imports the function."""
        self.resolve()

    def score_model(self, model: object) -> Metrics:
        """What the function makes of the model; the attempt checks that."""
        result = self.resolve()(model)
        scores = result if isinstance(result, Mapping) else {self.metric: result}
        return cast(Metrics, {_prefixed(str(name)): value for name, value in scores.items()})


def _prefixed(name: str) -> str:
    return name if name.startswith(PREFIX) else PREFIX + name


_: type[ModelJudge] = PythonJudge
