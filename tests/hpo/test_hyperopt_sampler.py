"""How a space with conditions looks to hyperopt."""

import numpy as np
import pytest
from hyperopt.pyll import stochastic

from hpo.samplers.hyperopt_sampler import compile_space
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Space


def drawn(space: Space, seed: int) -> dict[str, object]:
    return dict(stochastic.sample(compile_space(space), rng=np.random.default_rng(seed)))


def test_what_depends_on_choices_is_drawn_under_all_of_them_only() -> None:
    space = Space(
        (
            Parameter("a", Choice(("no", "yes"))),
            Parameter("b", Choice((1, 2, 3)), when={"a": ("yes",)}),
            Parameter("child", FloatRange(0, 1), when={"b": (1, 3)}),
        )
    )
    seen: set[int | None] = set()
    for seed in range(50):
        draw = drawn(space, seed)
        assert (draw["b"] is not None) == (draw["a"] == 1)
        assert (draw["child"] is not None) == (draw["b"] in (0, 2))
        seen.add(None if draw["b"] is None else int(draw["b"]))  # type: ignore[call-overload]  # a numpy int
    assert seen == {None, 0, 1, 2}


@pytest.mark.parametrize("parent", [IntRange(0, 1), Constant(1), Choice((1,))])
def test_what_depends_on_a_range_or_on_a_fixed_value_is_drawn_always(parent: IntRange | Constant | Choice) -> None:
    space = Space((Parameter("parent", parent), Parameter("child", FloatRange(0, 1), when={"parent": (1,)})))
    assert all(drawn(space, seed)["child"] is not None for seed in range(10))


def test_every_value_of_a_stepped_range_is_as_likely_as_the_others() -> None:
    space = Space((Parameter("x", FloatRange(0.1, 0.4, step=0.1)),))
    counts = np.bincount([int(drawn(space, seed)["x"]) for seed in range(400)])  # type: ignore[call-overload]
    assert len(counts) == 4
    assert counts.min() > 70
