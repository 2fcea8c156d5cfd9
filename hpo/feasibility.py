"""Whether constraints leave anything to search, and the samplers that keep to them."""

from collections.abc import Callable, Iterator, Sequence

from hpo.config.conversion import constraints_of, space_of, start_of
from hpo.config.rules import Finding
from hpo.config.schema import SweepConfig
from hpo.constraints import Constraint, feasible
from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.constrained_sampler import ConstrainedSampler, FeasibleGrid
from hpo.samplers.grid_sampler import GridSampler
from hpo.samplers.penalised_sampler import READS_VIOLATIONS, PenalisedSampler
from hpo.samplers.random_sampler import RandomSampler
from hpo.space import Constant, Params, Space
from hpo.trial import Goal

MOST_POINTS = 100_000
"""Points that are looked at: all of a grid up to so many, else so many random ones."""
MOST_VALUES = 5_000_000
"""Values that are drawn for them: of a space of many parameters fewer points are."""
_SAMPLE = 1000
"""Random points by which the feasible share of a space is estimated."""


def allows(constraints: Sequence[Constraint]) -> Callable[[Params], bool]:
    """The condition that all constraints on params make together."""
    return lambda params: feasible(constraints, params)


def constrained(sampler: Sampler, config: SweepConfig, space: Space) -> Sampler:
    """The sampler, kept to the constraints on params and told of those on metrics; as it is where there are none."""
    constraints, engine = constraints_of(config), config.engine
    is_single = len(config.goals) == 1
    if any(c.is_measured for c in constraints) and is_single and (engine.name, engine.sampler) not in READS_VIOLATIONS:
        sampler = PenalisedSampler(sampler, Goal(config.metric.goal))
    if all(constraint.is_measured for constraint in constraints):
        return sampler
    if engine.sampler == "grid":
        return FeasibleGrid(GridSampler(space, seed=engine.seed), allows(constraints))
    return ConstrainedSampler(sampler, space, allows(constraints), name=engine.sampler, seed=engine.seed)


def feasibility_findings(config: SweepConfig) -> Iterator[Finding]:
    """What is wrong with the constraints of a sweep file as a whole: no point satisfies them, or not one of `start`."""
    constraints = [(n, c) for n, c in enumerate(constraints_of(config)) if not c.is_measured]
    if not constraints:
        return
    yield from _start_findings(config, constraints)
    space = space_of(config)
    grid = _grid(space)
    points, kind = (_all_of(grid), "points") if grid else (_random_points(space, config), "random points")
    excluded, count = dict.fromkeys((position for position, _ in constraints), 0), 0
    for point in points:
        count += 1
        broken = [position for position, constraint in constraints if not constraint.holds(point)]
        if not broken:
            return
        for position in broken:
            excluded[position] += 1
    most = max(excluded, key=lambda position: excluded[position])
    share = f"{100 * excluded[most] / count:.3g} %"
    message = f"no point satisfies the constraints, of {count:,} {kind}; this one excludes most, {share} of them"
    yield Finding(("constraints", most), message)


def feasible_text(config: SweepConfig) -> str:
    """How much of the space satisfies the constraints, in words; '' where there are none on params."""
    constraints, space = constraints_of(config), space_of(config)
    if all(constraint.is_measured for constraint in constraints):
        return ""
    is_allowed, grid = allows(constraints), _grid(space)
    if grid:
        return f"space has {grid.size:,} points, {sum(map(is_allowed, _all_of(grid))):,} satisfy the constraints"
    chance = RandomSampler(space, seed=config.engine.seed).ask(range(min(_SAMPLE, _most(space))))
    return f"{sum(map(is_allowed, chance)):,} of {len(chance):,} random points satisfy the constraints"


def _start_findings(config: SweepConfig, constraints: Sequence[tuple[int, Constraint]]) -> Iterator[Finding]:
    fixed = {p.name: p.domain.value for p in space_of(config).parameters if isinstance(p.domain, Constant)}
    for position, point in enumerate(start_of(config)):
        for _, constraint in constraints:
            if not constraint.holds({**fixed, **point}):
                yield Finding(("start", position), f"does not satisfy the constraint {constraint.text}")


def _grid(space: Space) -> GridSampler | None:
    """The grid of a space that has few points."""
    try:
        grid = GridSampler(space, seed=0)
    except EngineError:
        return None
    return grid if grid.size <= _most(space) else None


def _all_of(grid: GridSampler) -> Iterator[Params]:
    return (grid.ask(range(place, place + 1))[0] for place in range(grid.size))


def _random_points(space: Space, config: SweepConfig) -> Iterator[Params]:
    chance = RandomSampler(space, seed=config.engine.seed)
    return (chance.redraw(number, 0) for number in range(_most(space)))


def _most(space: Space) -> int:
    return min(MOST_POINTS, MOST_VALUES // len(space.parameters))
