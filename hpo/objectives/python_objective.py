"""An objective that is the user's own function, named `module:function`."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from hpo.errors import ObjectiveError
from hpo.objective import Objective, TrialContext
from hpo.objectives.importing import attribute_of, import_named
from hpo.search_path import search_first
from hpo.space import Params
from hpo.trial import Metrics


@dataclass(frozen=True)
class PythonObjective:
    """Calls `function(params, trial)`, or `function(params)` where it takes one argument only.

    Only the name travels to workers, and each imports it for itself: lambdas, closures and objects with `__call__`
    work, and the module's own state is not shared. `search_path` is looked through before Python's own.
    """

    entry: str
    search_path: Sequence[str] = ()

    def resolve(self) -> Callable[[Params, TrialContext], object]:
        """The function, made to take params and trial; ObjectiveError where it cannot be imported or called."""
        return _resolved(self.entry, tuple(self.search_path))

    def prepare(self) -> None:
        """Imports the function."""
        self.resolve()

    def __call__(self, params: Params, trial: TrialContext) -> float | Metrics:
        """What the function returns; the attempt checks that."""
        return cast(float | Metrics, self.resolve()(params, trial))


@lru_cache(maxsize=16)
def _resolved(entry: str, search_path: tuple[str, ...]) -> Callable[[Params, TrialContext], object]:
    found = function_named(entry, search_path, takes="params, trial", key="python")
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some functions written in C do not tell
        return found
    if _accepts(signature, 2):
        return found
    if _accepts(signature, 1):
        return lambda params, trial: found(params)  # noqa: ARG005
    raise ObjectiveError(f"{entry} must take (params, trial) or (params), its signature is {signature}")


def function_named(entry: str, search_path: Sequence[str], *, takes: str, key: str) -> Callable[..., object]:
    """The plain function that `module:function` names; ObjectiveError where there is none.

    `takes` is what it is called with, `key` the sweep file's key, both for messages.
    """
    module_name, _, path = entry.partition(":")
    if not module_name or not path or module_name.endswith(".py") or "/" in module_name:
        raise ObjectiveError(f"{key}: must be 'module:function', such as 'examples.digits:objective', got {entry!r}")
    search_first(search_path)
    found = attribute_of(import_named(module_name, places=search_path), path, named=entry)
    if not callable(found) or inspect.isclass(found):
        raise ObjectiveError(f"{entry} must be a function({takes}), got {_kind(found)}")
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found):
        raise ObjectiveError(f"{entry} must be a plain function that returns its result, got {_kind(found)}")
    return found


def _accepts(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _kind(found: object) -> str:
    if inspect.isclass(found):
        return f"the class {found.__name__}"
    if inspect.iscoroutinefunction(found):
        return "an async function"
    return "a generator function" if inspect.isgeneratorfunction(found) else f"{type(found).__name__} {found!r:.60}"


_: type[Objective] = PythonObjective
