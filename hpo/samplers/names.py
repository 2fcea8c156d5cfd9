"""The table of samplers by engine and name; an engine is imported only when one of its samplers is made."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.options import check_options
from hpo.space import Space
from hpo.trial import Goal

Options = Mapping[str, object]
Make = Callable[[Space, str, int, Goal, int | None, Options], Sampler]
MakeForSeveral = Callable[[Space, str, int, Sequence[Goal], int | None, Options], Sampler]


def make_sampler(
    engine: str,
    name: str,
    space: Space,
    *,
    seed: int,
    goal: Goal,
    window: int | None,
    options: Options,
    others: Sequence[Goal] = (),
) -> Sampler:
    """A fresh sampler that was told nothing yet.

    `window` is the window of the sweep, None where it is free; `options` are the engine's own for this sampler.
    `others` are the goals of the metrics after the first. EngineError for an unknown name or option, a space that the
    sampler cannot search, several metrics where it cannot serve them, or a missing extra.
    """
    make = SAMPLERS.get((engine, name))
    if make is None:
        raise EngineError(_unknown(engine, name))
    if not others:
        return make(space, name, seed, goal, window, options)
    make_for_several = FOR_SEVERAL.get((engine, name))
    if make_for_several is None:
        raise EngineError(_by_one_only(engine, name))
    return make_for_several(space, name, seed, (goal, *others), window, options)


def sampler_names(engine: str) -> list[str]:
    """The samplers of an engine; empty where there is no such engine."""
    return [name for known, name in SAMPLERS if known == engine]


def _random(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:  # noqa: ARG001
    from hpo.samplers.random_sampler import RandomSampler

    check_options(kind, options, {})
    return RandomSampler(space, seed=seed)


def _grid(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:  # noqa: ARG001
    from hpo.samplers.grid_sampler import GridSampler

    check_options(kind, options, {})
    return GridSampler(space, seed=seed)


def _optuna(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:
    from hpo.samplers.optuna_sampler import OptunaSampler

    return OptunaSampler(space, kind=kind, seed=seed, goal=goal, window=window, options=options)


def _tpe(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:
    if options:  # optuna alone knows whether they are right, and how many trials it draws at random by them
        return _optuna(space, kind, seed, goal, window, options)
    return _late_tpe(space, seed, lambda: _optuna(space, kind, seed, goal, window, options))


def _late_tpe(space: Space, seed: int, make: Callable[[], Sampler]) -> Sampler:
    from hpo.samplers.late_tpe import LateTpe

    return LateTpe(space, seed=seed, make=make)


def _nsga2(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:
    return _nsga2_for_several(space, kind, seed, (goal,), window, options)


def _nsga2_for_several(
    space: Space,
    kind: str,  # noqa: ARG001  # samplers are all made alike
    seed: int,
    goals: Sequence[Goal],
    window: int | None,
    options: Options,
) -> Sampler:
    from hpo.samplers.nsga2_sampler import Nsga2Sampler

    return Nsga2Sampler(space, seed=seed, goals=goals, window=window, options=options)


def _optuna_for_several(
    space: Space, kind: str, seed: int, goals: Sequence[Goal], window: int | None, options: Options
) -> Sampler:
    from hpo.samplers.optuna_sampler import OptunaSampler

    return OptunaSampler(space, kind=kind, seed=seed, goal=goals[0], window=window, options=options, others=goals[1:])


def _tpe_for_several(
    space: Space, kind: str, seed: int, goals: Sequence[Goal], window: int | None, options: Options
) -> Sampler:
    if options:
        return _optuna_for_several(space, kind, seed, goals, window, options)
    return _late_tpe(space, seed, lambda: _optuna_for_several(space, kind, seed, goals, window, options))


def _learns_nothing(make: Make) -> MakeForSeveral:
    """The same sampler for several metrics."""
    return lambda space, kind, seed, goals, window, options: make(space, kind, seed, goals[0], window, options)


def _hyperopt(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:
    from hpo.samplers.hyperopt_sampler import HyperoptSampler

    return HyperoptSampler(space, kind=kind, seed=seed, goal=goal, window=window, options=options)


def _auto(space: Space, kind: str, seed: int, goal: Goal, window: int | None, options: Options) -> Sampler:  # noqa: ARG001
    from hpo.samplers.auto_sampler import AutoSampler

    return AutoSampler(space, seed=seed, goal=goal, window=window, options=options)


def _auto_for_several(
    space: Space, kind: str, seed: int, goals: Sequence[Goal], window: int | None, options: Options
) -> Sampler:
    check_options(kind, options, {})
    return _tpe_for_several(space, "tpe", seed, goals, window, {})


def _unknown(engine: str, name: str) -> str:
    engines = list(dict.fromkeys(known for known, _ in SAMPLERS))
    if engine not in engines:
        return f"there is no engine {engine!r}; there are {', '.join(engines[:-1])} and {engines[-1]}"
    if (engine, name) == ("hyperopt", "atpe"):
        return (
            "hyperopt's atpe is left out: it draws from the global generators, so no sweep could be repeated; use tpe"
        )
    names = sampler_names(engine)
    near = get_close_matches(name, names, n=1)
    hint = f" - did you mean {near[0]!r}?" if near else ""
    return f"engine {engine} has no sampler {name!r}{hint}; it has {', '.join(names)}"


def _by_one_only(engine: str, name: str) -> str:
    able = ", ".join(known for of, known in FOR_SEVERAL if of == engine)
    able = f"; several metrics are searched by {able}" if able else ""
    more = "" if engine == "optuna" else "; engine optuna has tpe and nsga2, which learn from all of them"
    return f"{engine}'s {name} searches by one metric{able}{more}"


SAMPLERS: Mapping[tuple[str, str], Make] = {
    ("optuna", "tpe"): _tpe,
    ("optuna", "gp"): _optuna,
    ("optuna", "cmaes"): _optuna,
    ("optuna", "qmc"): _optuna,
    ("optuna", "nsga2"): _nsga2,
    ("optuna", "random"): _random,
    ("optuna", "grid"): _grid,
    ("hyperopt", "tpe"): _hyperopt,
    ("hyperopt", "anneal"): _hyperopt,
    ("hyperopt", "random"): _random,
    ("hyperopt", "grid"): _grid,
    ("auto", "auto"): _auto,
}

FOR_SEVERAL: Mapping[tuple[str, str], MakeForSeveral] = {
    ("optuna", "tpe"): _tpe_for_several,
    ("optuna", "nsga2"): _nsga2_for_several,
    ("optuna", "qmc"): _optuna_for_several,
    ("optuna", "random"): _learns_nothing(_random),
    ("optuna", "grid"): _learns_nothing(_grid),
    ("hyperopt", "random"): _learns_nothing(_random),
    ("hyperopt", "grid"): _learns_nothing(_grid),
    ("auto", "auto"): _auto_for_several,
}
"""Those that can search by several metrics at once, or learn from none."""
