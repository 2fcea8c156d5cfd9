"""The ways of searching that quality.py compares: engines through our samplers, and the same engines used bare."""

import logging
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from hpo.space import Choice, Constant, IntRange, Parameter, Params, Space
from hpo.trial import Goal, Result, State, Trial

Loss = Callable[[Params], float]
Side = Callable[[Space, Loss, int, int], list[float]]
"""Space, loss, seed, number of trials: gives the losses in the order of the trials."""


def ours(engine: str, name: str, window: int = 1) -> Side:
    """One of our samplers under the rolling window: trial n knows the trials 0..n-window."""

    def search(space: Space, loss: Loss, seed: int, trials: int) -> list[float]:
        from hpo.samplers.names import make_sampler

        sampler = make_sampler(engine, name, space, seed=seed, goal=Goal.MINIMIZE, window=window, options={})
        asked: list[Params] = []
        losses: list[float] = []
        for number in range(trials):
            if number >= window:
                told = number - window
                sampler.tell(Trial(told, asked[told], seed=0), Result(State.COMPLETE, losses[told]))
            asked += sampler.ask(range(number, number + 1))
            losses.append(loss(asked[number]))
        return losses

    return search


def bare_optuna(space: Space, loss: Loss, seed: int, trials: int) -> list[float]:
    """A study with optuna's default sampler, and define-by-run parameters."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def suggested(trial: optuna.Trial, parameter: Parameter) -> object:
        name, domain = parameter.name, parameter.domain
        if isinstance(domain, Choice | Constant):
            return domain.at(trial.suggest_categorical(name, list(range(domain.size))))
        if isinstance(domain, IntRange):
            return trial.suggest_int(name, domain.low, domain.high, log=domain.log, step=domain.step)
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log, step=domain.step)

    def objective(trial: optuna.Trial) -> float:
        return loss(space.draw(lambda parameter: suggested(trial, parameter)))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)
    return [float(trial.value or 0.0) for trial in study.trials]


def bare_hyperopt(space: Space, loss: Loss, seed: int, trials: int) -> list[float]:
    """`fmin` with `tpe.suggest` over nested choices, as people write them."""
    from hyperopt import Trials, fmin, hp, tpe

    def node(parameter: Parameter) -> object:
        name, domain = parameter.name, parameter.domain
        if isinstance(domain, Choice | Constant):
            branches = [
                {name: index, **inside(name.partition("@")[0], value)} for index, value in enumerate(domain.grid())
            ]
            return hp.choice(name, branches)
        low, high = float(domain.low), float(domain.high)
        if domain.log:
            low, high = np.log(low), np.log(high)
            return (
                hp.qloguniform(name, low, high, 1) if isinstance(domain, IntRange) else hp.loguniform(name, low, high)
            )
        if isinstance(domain, IntRange):
            return hp.quniform(name, low, high, domain.step)
        return hp.quniform(name, low, high, domain.step) if domain.step else hp.uniform(name, low, high)

    def inside(parent: str, value: object) -> dict[str, object]:
        """What this value of the parent switches on; a parameter of two values gets a node for each of them."""
        return {
            f"{p.name}@{value}": _renamed(p, f"{p.name}@{parent}={value}", node)
            for p in space.parameters
            if parent in p.when and value in p.when[parent]
        }

    def flat(tree: Mapping[str, object], found: dict[str, object]) -> dict[str, object]:
        for key, value in tree.items():
            if isinstance(value, Mapping):
                flat(value, found)
            else:
                found[key.partition("@")[0]] = value
        return found

    def objective(tree: Mapping[str, object]) -> float:
        drawn = flat(tree, {})

        def value_of(parameter: Parameter) -> object:
            value = drawn[parameter.name.partition("@")[0]]
            return parameter.domain.at(int(value)) if isinstance(parameter.domain, Choice) else value  # type: ignore[call-overload]

        return loss(space.draw(value_of))

    kept = Trials()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("hyperopt").setLevel(logging.ERROR)
        fmin(
            objective, {p.name: node(p) for p in space.parameters if not p.when}, algo=tpe.suggest, max_evals=trials,
            trials=kept, rstate=np.random.default_rng(seed), show_progressbar=False, verbose=False,
        )  # fmt: skip
    return [float(value) for value in kept.losses()]


def _renamed(parameter: Parameter, name: str, node: Callable[[Parameter], object]) -> object:
    return node(Parameter(name, parameter.domain))


SIDES: Mapping[str, Side] = {
    "random": ours("optuna", "random"),
    "optuna": bare_optuna,
    "ours: optuna tpe": ours("optuna", "tpe"),
    "hyperopt": bare_hyperopt,
    "ours: hyperopt tpe": ours("hyperopt", "tpe"),
    "ours: auto": ours("auto", "auto"),
    "ours: auto, window 4": ours("auto", "auto", window=4),
}
