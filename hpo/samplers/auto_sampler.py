"""The sampler that chooses: quasi-random points, then a surrogate, then an engine for large budgets."""

from collections.abc import Mapping, Sequence

from hpo.sampler import Sampler
from hpo.samplers.auto_stages import stages
from hpo.samplers.options import check_options
from hpo.samplers.surrogate_sampler import SurrogateSampler
from hpo.space import Params, Space
from hpo.trial import Goal, Result, Trial


class AutoSampler:
    """Serves every space; which trial is asked for in which way stands in `auto_stages.stages`.

    Every stage learns from all told trials, whichever stage asked for them.
    """

    def __init__(
        self, space: Space, *, seed: int, goal: Goal, window: int | None, options: Mapping[str, object]
    ) -> None:
        check_options("auto", options, {})
        self._space = space
        self._seed = seed
        self._goal = goal
        self._window = window
        self._surrogate = SurrogateSampler(space, seed=seed, goal=goal, window=window)
        self._last = stages(space)[-1]
        self._told: list[tuple[Trial, Result]] = []
        self._tail: Sampler | None = None

    def ask(self, numbers: range) -> Sequence[Params]:
        """One point a number; never exhausted, points come twice only where the space has no others."""
        return [point for number in numbers for point in self._stage(number).ask(range(number, number + 1))]

    def redraw(self, number: int, attempt: int) -> Params | None:
        """Another point by the same told trials, as the stage of this number has it."""
        return self._stage(number).redraw(number, attempt)

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        if self._is_of_tail(trial.number):  # was asked for after all that the surrogate ever is, which need not know it
            self._told_tail().tell(trial, result)
            return
        self._told.append((trial, result))
        self._surrogate.tell(trial, result)
        if self._tail:
            self._tail.tell(trial, result)

    def _stage(self, number: int) -> Sampler:
        return self._told_tail() if self._is_of_tail(number) else self._surrogate

    def _is_of_tail(self, number: int) -> bool:
        return self._last.kind in ("tpe", "cmaes") and number >= self._last.first

    def _told_tail(self) -> Sampler:
        """The last stage, made late: its engine takes a while to import."""
        if self._tail is None:
            self._tail = self._new_tail()
            for trial, result in self._told:
                self._tail.tell(trial, result)
        return self._tail

    def _new_tail(self) -> Sampler:
        if self._last.kind == "cmaes":
            from hpo.samplers.evolution_sampler import EvolutionSampler

            return EvolutionSampler(
                self._space, seed=self._seed, goal=self._goal, window=self._window, first=self._last.first
            )
        from hpo.samplers.optuna_sampler import OptunaSampler

        return OptunaSampler(self._space, kind="tpe", seed=self._seed, goal=self._goal, window=self._window, options={})


_: type[Sampler] = AutoSampler
