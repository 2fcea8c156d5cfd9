"""optuna's tpe, gp, cmaes and qmc as pure samplers."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol

from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpo.errors import EngineError
from hpo.quiet_optuna import quiet
from hpo.sampler import Sampler
from hpo.samplers.cmaes_source import CmaesSource
from hpo.samplers.options import Option, check_options
from hpo.samplers.optuna_axes import (
    Group,
    always_active,
    axes,
    encode,
    everything,
    grouped_by_conditions,
    unit_point,
)
from hpo.samplers.optuna_study import Notes, ToldStudy
from hpo.samplers.short_notebook import ShortNotebook
from hpo.samplers.shortlist import limit_above
from hpo.samplers.told_value import told_value
from hpo.space import Parameter, Params, Space
from hpo.trial import Goal, Result, Trial, derive_seed

_OPTIONS = {
    "tpe": {
        "n_startup_trials": Option(int),
        "n_ei_candidates": Option(int, low=1),
        "multivariate": Option(bool),
        "group": Option(bool),
    },
    "gp": {"n_startup_trials": Option(int, low=1), "deterministic_objective": Option(bool)},
    "cmaes": {
        "n_startup_trials": Option(int),
        "popsize": Option(int, low=4),  # with fewer, cmaes divides by zero
        "use_separable_cma": Option(bool),
        "with_margin": Option(bool),
        "lr_adapt": Option(bool),
    },
    "qmc": {"qmc_type": Option(str, words=("sobol", "halton")), "scramble": Option(bool)},
}


class _Make(Protocol):
    """Makes a seeded optuna sampler; for cmaes `source` is what it begins from."""

    def __call__(self, seed: int, source: Sequence[FrozenTrial] = ()) -> BaseSampler: ...


class OptunaSampler:
    """One of optuna's samplers: tpe, gp, cmaes or qmc.

    For every ask a fresh optuna sampler, seeded by the trial's number, looks at the told trials. `options` are
    optuna's own. EngineError where the sampler cannot serve the space or is not installed.

    tpe draws parameters under the same conditions together (`group: false`: only those without any, `multivariate:
    false`: each alone). gp models the parameters that are always active, cmaes the numeric ones among them; both draw
    the others at random; gp looks away from where it expects open trials to be, cmaes begins round the best of the
    trials that it did not ask for. qmc spreads its points over all parameters, active or not, and is scrambled by the
    seed unless `scramble: false`; it learns nothing. `others` are the goals of the metrics after the first; tpe learns
    from all of them.
    """

    def __init__(
        self,
        space: Space,
        *,
        kind: str,
        seed: int,
        goal: Goal,
        window: int | None,
        options: Mapping[str, object],
        others: Sequence[Goal] = (),
    ) -> None:
        check_options(kind, options, _OPTIONS[kind])
        if kind == "gp" and importlib.util.find_spec("torch") is None:
            raise EngineError('sampler gp needs torch, which is not installed: pip install "tracked-hpo[gp]"')
        self._space = space
        self._kind = kind
        self._seed = seed
        self._window = window
        self._axes = axes(space)
        groups = self._drawn_together = self._groups(options)
        self._group_of = {name: group for group in groups for name in group}
        self._make = _maker(kind, options, len(self._group_of))
        limit = limit_above(options.get("n_startup_trials"))
        self._told = ToldStudy(goal, ShortNotebook(goal, limit) if kind == "tpe" and not others else None, others)
        self._last_told = -1
        self._ahead: dict[int, tuple[Params, Notes]] = {}  # cmaes and gp: asked for and not told yet
        self._next_ahead = 0
        self._minds_open_trials = kind == "gp" and window != 1
        self._has_memory = kind == "cmaes" or self._minds_open_trials
        can_begin = kind == "cmaes" and not options.get("use_separable_cma")
        self._source = CmaesSource(goal, self._drawn_together[0]) if can_begin else None
        self._sequence: list[Params] = []  # qmc: its points from the first on
        self._sequence_sampler = self._make(derive_seed(seed, 0, "qmc"))

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points may come twice."""
        return [self._answer(number) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, by the same told trials; for qmc, whose points are fixed, a random one."""
        if attempt == 0:
            return self._answer(number)
        if self._kind == "qmc":
            return self._draw(RandomSampler(derive_seed(self._seed, number, "qmc", attempt)))
        self._catch_up()
        return self._draw_with_notes(number, attempt)[0]

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without a finite value is told as failed."""
        if self._kind == "qmc":  # learns nothing
            return
        notes = self._notes_on(trial, result) if self._has_memory else {}
        self._told.add(self._axes, trial, result, notes)
        self._last_told = trial.number

    def _answer(self, number: int) -> Params:
        if self._kind == "qmc":
            while len(self._sequence) <= number:
                self._sequence.append(self._draw(self._sequence_sampler))
            return self._sequence[number]
        if not self._has_memory:
            return self._draw(self._sampler_for(number))
        self._catch_up()
        if number in self._ahead:
            return self._ahead[number][0]
        answer = self._draw_with_notes(number)
        if self._window is None or number <= self._last_told + self._window:
            self._ahead[number] = answer
        return answer[0]

    def _catch_up(self) -> None:
        """Has gp ask for the numbers in turn, since each has to know where those before it look."""
        if self._minds_open_trials:
            self._go_ahead(max(self._last_told, -1))

    def _go_ahead(self, told: int) -> None:
        """Asks for every number whose turn it is once the trials up to `told` are told.

        cmaes writes its state onto the trial it is asked for, and gp looks at the points of open trials, which are
        what it answers for them whatever was run. A fresh instance that is told a history must therefore ask for those
        trials once more, each at the moment when just those up to number - window are told.
        """
        while self._window is not None and self._next_ahead <= told + self._window:
            if self._next_ahead not in self._ahead:
                self._ahead[self._next_ahead] = self._draw_with_notes(self._next_ahead)
            self._next_ahead += 1

    def _notes_on(self, trial: Trial, result: Result) -> Notes:
        self._go_ahead(trial.number - 1)
        if self._kind == "gp":
            self._ahead.pop(trial.number, None)
            return {}
        if trial.number < 0:  # nobody asked for it
            if self._source and (value := told_value(result)) is not None:
                self._source.add(encode(self._axes, trial.params), value)
            return {}
        if trial.number not in self._ahead:
            self._ahead[trial.number] = self._draw_with_notes(trial.number)
        params, notes = self._ahead.pop(trial.number)
        if "x_for_tell" in notes and params != trial.params:
            # with_margin notes the very point, and this trial is another one: drawn again, say
            return {**notes, "x_for_tell": unit_point(self._drawn_together[0], encode(self._axes, trial.params))}
        return notes

    def _draw_with_notes(self, number: int, attempt: int = 0) -> tuple[Params, Notes]:
        self._told.take_notes()
        if self._minds_open_trials:
            self._told.show_open(
                self._axes, [point for other, (point, _) in sorted(self._ahead.items()) if other < number]
            )
        params = self._draw(self._sampler_for(number, attempt))
        return params, self._told.take_notes()

    def _sampler_for(self, number: int, attempt: int = 0) -> BaseSampler:
        source = self._source.trials if self._source else ()
        return self._make(derive_seed(self._seed, number, self._kind, attempt), source)

    def _draw(self, sampler: BaseSampler) -> Params:
        study: Study = self._told.look(sampler)
        drawn: dict[str, object] = {}

        def value_of(parameter: Parameter) -> object:
            name = parameter.name
            if name not in self._axes:
                return parameter.domain.at(0)
            if name not in drawn and name in self._group_of:
                drawn.update(sampler.sample_relative(study, self._told.asked, dict(self._group_of[name])))
            if name not in drawn:  # the engine has too few trials yet, or does not model this one
                distribution = self._axes[name].distribution
                drawn[name] = sampler.sample_independent(study, self._told.asked, name, distribution)
            return self._axes[name].decode(drawn[name])

        return self._space.draw(value_of)

    def _groups(self, options: Mapping[str, object]) -> list[Group]:
        """The parameters that the engine models together; the rest is drawn one by one."""
        if self._kind == "qmc":
            return everything(self._axes)
        if self._kind == "tpe" and not options.get("multivariate", True):
            return []
        if self._kind == "tpe" and options.get("group", True):
            return grouped_by_conditions(self._axes)
        groups = always_active(self._axes, numeric=self._kind == "cmaes")
        if not groups and self._kind in ("gp", "cmaes"):
            searched = "numeric parameter" if self._kind == "cmaes" else "parameter to search"
            raise EngineError(f"sampler {self._kind} needs a {searched} that has no `when`; use tpe for this space")
        return groups


def _maker(kind: str, options: Mapping[str, object], dimensions: int) -> _Make:
    """What makes a seeded optuna sampler; EngineError at once where optuna has something against the options."""
    if options.get("use_separable_cma") and dimensions < 2:
        raise EngineError("sampler cmaes: use_separable_cma needs two numeric parameters that have no `when`")
    own = {name: value for name, value in options.items() if name not in ("multivariate", "group")}

    def make(seed: int, source: Sequence[FrozenTrial] = ()) -> BaseSampler:
        if kind == "tpe":
            return TPESampler(seed=seed, constant_liar=False, **own)  # type: ignore[arg-type]  # types were checked
        with quiet():
            if kind == "gp":
                return GPSampler(seed=seed, warn_independent_sampling=False, **own)  # type: ignore[arg-type]
            if kind == "cmaes":
                begin = {"source_trials": list(source)} if source else {}
                return CmaEsSampler(seed=seed, warn_independent_sampling=False, **begin, **own)  # type: ignore[arg-type]
            settings = {"scramble": True, **own}
            return QMCSampler(seed=seed, warn_independent_sampling=False, **settings)  # type: ignore[arg-type]

    try:
        make(0)
    except ValueError as error:
        raise EngineError(f"sampler {kind}: {error}") from error
    return make


_: type[Sampler] = OptunaSampler
