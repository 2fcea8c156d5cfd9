"""hyperopt's tpe and anneal as pure samplers."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from hyperopt import anneal, tpe
from hyperopt.base import Domain as Problem
from hyperopt.pyll import Apply, scope

from hpo.sampler import Sampler
from hpo.samplers.hyperopt_history import History
from hpo.samplers.options import Option, check_options
from hpo.samplers.shortlist import limit_above
from hpo.samplers.told_value import told_value
from hpo.space import Choice, Constant, IntRange, Parameter, Params, Space, Value
from hpo.trial import Goal, Result, Trial, derive_seed

_OPTIONS = {
    "tpe": {
        "prior_weight": Option(float),
        "n_startup_jobs": Option(int),
        "n_EI_candidates": Option(int, low=1),
        "gamma": Option(float),
    },
    "anneal": {"avg_best_idx": Option(float, low=1), "shrink_coef": Option(float)},
}
_SUGGEST: Mapping[str, Callable[..., list[dict[str, object]]]] = {
    "tpe": partial(tpe.suggest, verbose=False),
    "anneal": anneal.suggest,
}


class HyperoptSampler:
    """One of hyperopt's algorithms: tpe or anneal.

    Both look at nothing but the told trials and the seed, which is derived from the trial's number. `options` are
    hyperopt's own. Failed trials are told as such and count as the worst ones.
    """

    def __init__(
        self,
        space: Space,
        *,
        kind: str,
        seed: int,
        goal: Goal,
        window: int | None,  # noqa: ARG002  # samplers are all made alike
        options: Mapping[str, object],
    ) -> None:
        check_options(kind, options, _OPTIONS[kind])
        self._space = space
        self._kind = kind
        self._seed = seed
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._options = options
        self._searched = {p.name: p for p in space.parameters if p.domain.size != 1}
        self._problem = Problem(lambda params: 0.0, compile_space(space)) if self._searched else None  # noqa: ARG005
        self._history = History(limit_above(options.get("n_startup_jobs")) if kind == "tpe" else None)

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points may come twice."""
        return [self._point(number) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, by the same told trials."""
        return self._point(number, attempt)

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without a finite value is told as failed."""
        value = told_value(result)
        active = {name: _encode(p, trial.params[name]) for name, p in self._searched.items() if name in trial.params}
        vals = {name: [active[name]] if name in active else [] for name in self._searched}
        self._history.add(trial.number, None if value is None else self._sign * value, vals)

    def _point(self, number: int, attempt: int = 0) -> Params:
        drawn = self._drawn(number, attempt) if self._problem else {}
        return self._space.draw(lambda p: _decode(p, drawn[p.name][0]) if p.name in drawn else p.domain.at(0))

    def _drawn(self, number: int, attempt: int) -> Mapping[str, Sequence[float]]:
        seed = derive_seed(self._seed, number, self._kind, attempt)
        own = dict(self._options)
        if self._kind == "tpe":
            own["gamma"] = self._history.gamma(self._options.get("gamma"))
        # hyperopt takes the logarithm of weights and likelihoods that may be 0, and sets shapes as numpy 2.5 dislikes
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"hyperopt\.")
            docs = _SUGGEST[self._kind]([number], self._problem, self._history.trials(), seed, **own)
        misc: Mapping[str, Mapping[str, Sequence[float]]] = docs[0]["misc"]  # type: ignore[assignment]
        return misc["vals"]


def compile_space(space: Space) -> dict[str, Apply]:
    """The searched parameters as hyperopt's graph: each under nested choices that stand for its conditions."""
    nodes = {p.name: scope.hyperopt_param(p.name, _distribution(p)) for p in space.parameters if p.domain.size != 1}
    return {name: _under_conditions(space, space[name], node, nodes) for name, node in nodes.items()}


def _under_conditions(space: Space, parameter: Parameter, node: Apply, nodes: Mapping[str, Apply]) -> Apply:
    """The node below a switch for each choice it depends on, the first one outermost.

    hyperopt can switch on choices only: what depends on a range is drawn always, and left out where it is inactive.
    """
    conditions = _all_conditions(space, parameter)
    for parent in reversed(space.parameters):
        domain = parent.domain
        if parent.name in conditions and parent.name in nodes and isinstance(domain, Choice):
            wanted = {domain.index(value) for value in conditions[parent.name]}
            branches = [node if index in wanted else None for index in range(domain.size)]
            node = scope.switch(nodes[parent.name], *branches)
    return node


def _all_conditions(space: Space, parameter: Parameter) -> dict[str, Sequence[Value]]:
    """The conditions of a parameter, of the parameters named there, and so on; several on one must all hold."""
    conditions: dict[str, Sequence[Value]] = {}
    waiting = [parameter]
    while waiting:
        for name, values in waiting.pop().when.items():
            known = conditions.get(name, values)
            conditions[name] = [value for value in values if value in known]
            waiting.append(space[name])
    return conditions


def _distribution(parameter: Parameter) -> Apply:
    domain = parameter.domain
    if isinstance(domain, Choice | Constant):
        return scope.randint(domain.size)
    if isinstance(domain, IntRange) and domain.log:
        return scope.qloguniform(math.log(domain.low - 0.5), math.log(domain.high + 0.5), 1)
    if domain.size is not None:
        return scope.quniform(-0.5, domain.size - 0.5, 1)  # steps are numbered, and the ends as likely as the rest
    if domain.log:
        return scope.loguniform(math.log(domain.low), math.log(domain.high))
    return scope.uniform(domain.low, domain.high)


def _is_numbered(parameter: Parameter) -> bool:
    domain = parameter.domain
    return isinstance(domain, Choice) or (domain.size is not None and not getattr(domain, "log", False))


def _encode(parameter: Parameter, value: Value) -> float | int:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return domain.index(value)
    return float(domain.index(value)) if _is_numbered(parameter) else float(value)  # type: ignore[arg-type]


def _decode(parameter: Parameter, drawn: float) -> Value:
    if not _is_numbered(parameter):
        return float(drawn)
    size = parameter.domain.size or 1
    return parameter.domain.at(min(max(int(drawn), 0), size - 1))


_: type[Sampler] = HyperoptSampler
