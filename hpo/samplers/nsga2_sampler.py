"""optuna's NSGA-II as a pure sampler, for one metric or several."""

from collections.abc import Mapping, Sequence

from optuna.samplers import NSGAIISampler
from optuna.study import Study

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.options import Option, check_options
from hpo.samplers.optuna_axes import always_active, axes
from hpo.samplers.optuna_study import Notes, ToldStudy
from hpo.space import Parameter, Params, Space
from hpo.trial import Goal, Result, Trial, derive_seed

_OPTIONS = {
    "population_size": Option(int, low=2),
    "mutation_prob": Option(float, high=1),
    "crossover_prob": Option(float, high=1),
    "swapping_prob": Option(float, high=1),
}


class Nsga2Sampler:
    """NSGA-II: generations of `population_size` (50) trials; the first is random, each next one bred from the last.

    optuna notes a trial's generation when it is asked for, and a generation's parents when its first trial is. A
    fresh instance that is told a history therefore looks both up once more, each at the moment when just the trials
    0..number-window were told. Parents are crossed in the parameters that are always active; the others are drawn at
    random. `options` are optuna's own (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II",
    IEEE Transactions on Evolutionary Computation 6, 2002).
    """

    def __init__(
        self, space: Space, *, seed: int, goals: Sequence[Goal], window: int | None, options: Mapping[str, object]
    ) -> None:
        check_options("nsga2", options, _OPTIONS)
        self._space = space
        self._seed = seed
        self._window = window
        self._options = options
        self._axes = axes(space)
        self._crossed = {name: each for group in always_active(self._axes) for name, each in group.items()}
        self._told = ToldStudy(goals[0], others=goals[1:])
        self._last_told = -1
        self._notes: dict[int, Notes] = {}  # of trials that are not told yet
        self._next_noted = 0
        self._sampler(0)

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points may come twice."""
        return [self.redraw(number, 0) for number in numbers]

    def redraw(self, number: int, attempt: int) -> Params:
        """The point that another seed gives, bred from the same parents."""
        if number not in self._notes and (self._window is None or number <= self._last_told + self._window):
            self._notes[number] = self._look_up(number)
        return self._draw(self._sampler(number, attempt))

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial; one without finite values is told as failed."""
        self._note_ahead(trial.number - 1)
        notes = self._notes.pop(trial.number, None) or self._look_up(trial.number)
        self._told.add(self._axes, trial, result, notes)
        self._last_told = trial.number

    def _note_ahead(self, told: int) -> None:
        """Notes the generation of every number whose turn it is once the trials up to `told` are told."""
        while self._window is not None and self._next_noted <= told + self._window:
            if self._next_noted not in self._notes:
                self._notes[self._next_noted] = self._look_up(self._next_noted)
            self._next_noted += 1

    def _look_up(self, number: int) -> Notes:
        """The generation that a trial asked for now belongs to; its parents are chosen where it is the first."""
        sampler = self._sampler(number)
        study = self._told.look(sampler)
        self._told.take_notes()
        sampler.get_parent_population(study, sampler.get_trial_generation(study, self._told.asked))
        return self._told.take_notes()

    def _draw(self, sampler: NSGAIISampler) -> Params:
        study: Study = self._told.look(sampler)
        drawn = sampler.sample_relative(study, self._told.asked, self._crossed) if self._crossed else {}

        def value_of(parameter: Parameter) -> object:
            axis = self._axes.get(parameter.name)
            if axis is None:
                return parameter.domain.at(0)
            if parameter.name not in drawn:  # of the first generation, mutated, or under a condition
                distribution = axis.distribution
                drawn[parameter.name] = sampler.sample_independent(
                    study, self._told.asked, parameter.name, distribution
                )
            return axis.decode(drawn[parameter.name])

        return self._space.draw(value_of)

    def _sampler(self, number: int, attempt: int = 0) -> NSGAIISampler:
        seed = derive_seed(self._seed, number, "nsga2", attempt)
        try:
            return NSGAIISampler(seed=seed, **self._options)  # type: ignore[arg-type]  # types were checked
        except ValueError as error:
            raise EngineError(f"sampler nsga2: {error}") from error


_: type[Sampler] = Nsga2Sampler
