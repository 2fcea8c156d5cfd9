"""The table of pruners by name; optuna is imported only when one is made."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from hpo.errors import EngineError
from hpo.pruner import Pruner
from hpo.trial import Goal

Options = Mapping[str, object]
Make = Callable[[str, Goal, int, int | None, Options], Pruner]


def make_pruner(name: str, *, goal: Goal, seed: int, window: int | None, options: Options) -> Pruner:
    """A fresh pruner that was told nothing yet.

    `window` is the window of the sweep, None where it is free; `options` are optuna's own for this rule.
    EngineError for an unknown name or option.
    """
    make = PRUNERS.get(name)
    if make is None:
        near = get_close_matches(name, PRUNERS, n=1)
        hint = f" - did you mean {near[0]!r}?" if near else ""
        raise EngineError(f"there is no pruner {name!r}{hint}; there are {', '.join(PRUNERS)}")
    return make(name, goal, seed, window, options)


def _optuna(name: str, goal: Goal, seed: int, window: int | None, options: Options) -> Pruner:
    from hpo.pruners.optuna_pruner import OptunaPruner

    return OptunaPruner(name, goal=goal, seed=seed, window=window, options=options)


PRUNERS: Mapping[str, Make] = {
    "median": _optuna,
    "percentile": _optuna,
    "asha": _optuna,
    "hyperband": _optuna,
    "patient": _optuna,
    "threshold": _optuna,
    "wilcoxon": _optuna,
}
