"""The nouns of the search space: typed values, steps, conditions, order, and what their errors say."""

import pickle
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import SpaceError
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Parameter, Params, Space, same_value

STEPPED = FloatRange(0.1, 1.0, step=0.1)


def space(*parameters: Parameter) -> Space:
    return Space(parameters)


def first(params: Space) -> Params:
    return params.draw(lambda parameter: parameter.domain.at(0))


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        (FloatRange(1, 10), 0.5, 1.0),
        (FloatRange(1, 10), 3, 3.0),
        (FloatRange(1, 10), np.float32(2.5), 2.5),
        (FloatRange(1, 10), float("inf"), 10.0),
        (IntRange(1, 10), 3.0, 3),
        (IntRange(1, 10), np.int64(7), 7),
        (IntRange(1, 10), 2.6, 3),
        (IntRange(1, 10), 99, 10),
        (IntRange(1, 10, step=4), 10, 9),
        (IntRange(1, 10, step=4), float("inf"), 9),
        (IntRange(1, 10, step=4), 6.9, 5),
        (IntRange(0, 2**60), 2**53 + 1, 2**53 + 1),
        (STEPPED, 0.34, 0.3),
        (STEPPED, 7, 1.0),
        (Choice((1, 1.0, True)), 1.0, 1.0),
        (Choice((1, 1.0, True)), True, True),
        (Choice(("a", None)), None, None),
        (Constant("x"), 5, "x"),
    ],
)
def test_conforming_gives_the_nearest_allowed_value_in_its_plain_type(
    domain: Domain, value: object, expected: object
) -> None:
    assert same_value(domain.conform(value), expected)


@pytest.mark.parametrize("domain", [FloatRange(0, 1), STEPPED, IntRange(0, 3)])
@pytest.mark.parametrize("value", [float("nan"), "much", None])
def test_what_is_no_number_is_refused_by_a_range(domain: Domain, value: object) -> None:
    with pytest.raises(SpaceError, match=r"not a number|holds numbers"):
        domain.conform(value)
    assert not domain.contains(value)


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (FloatRange(1e-15, 1e-13), [1e-15, 5e-14, 1e-13], [0.0, 1.1e-13, 5e-13, True, "1", float("nan"), float("inf")]),
        (FloatRange(0, 4), [0, 4, 2.5], [-0.1, 4.1]),
        (STEPPED, [0.1, 0.3, 0.1 + 2 * 0.1, 1], [0.35, 0.0, 1.1]),
        (IntRange(1, 9, step=3), [1, 4, 7, 7.0], [2, 9, 10, 4.5, True, "4"]),
        (Choice((1, "a", None)), [1, "a", None], [1.0, True, "b"]),
        (Constant(0), [0], [False, 0.0, 1]),
    ],
)
def test_contains_tells_what_could_have_been_drawn(domain: Domain, inside: list[object], outside: list[object]) -> None:
    assert [value for value in inside if not domain.contains(value)] == []
    assert [value for value in outside if domain.contains(value)] == []


def test_steps_of_a_float_range_are_the_numbers_that_people_read() -> None:
    assert STEPPED.grid() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert FloatRange(-1000, 1000, step=0.1).at(10001) == 0.1
    assert FloatRange(1_000_000, 1_000_001, step=1e-7).at(3) == 1_000_000.0000003
    assert FloatRange(0, 1, step=0.3).top == 0.9
    assert FloatRange(0, 1).top == 1.0
    assert FloatRange(0, 1).grid() is None
    assert IntRange(1, 10, step=4).grid() == range(1, 10, 4)
    assert IntRange(1, 10, step=4).top == 9


@given(
    low=st.decimals(-1000, 1000, places=3),
    step=st.decimals("0.001", 10, places=3),
    steps=st.integers(1, 200),
    extra=st.floats(0, 0.99),
)
def test_every_step_is_within_the_range_counted_and_found_again(
    low: Decimal, step: Decimal, steps: int, extra: float
) -> None:
    high = low + step * steps + round(step * Decimal(extra), 4)
    domain = FloatRange(float(low), float(high), step=float(step))
    assert domain.size is not None
    assert steps + 1 <= domain.size <= steps + 2
    values = [domain.at(index) for index in range(domain.size)]
    assert values == sorted(set(values))
    assert domain.low <= values[0]
    assert values[-1] == domain.top <= domain.high
    assert [domain.index(value) for value in values] == list(range(domain.size))
    assert all(domain.contains(value) and domain.conform(value) == value for value in values)


@given(low=st.integers(-(10**18), 10**18), width=st.integers(1, 10**18), step=st.integers(1, 50), at=st.integers(0))
def test_every_whole_number_of_a_range_is_found_again_however_large(low: int, width: int, step: int, at: int) -> None:
    domain = IntRange(low, low + width, step=min(step, width))
    value = domain.at(at % domain.size)
    assert domain.contains(value)
    assert same_value(domain.conform(value), value)
    assert domain.low <= value <= domain.top <= domain.high


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FloatRange(2, 1), "low must be below high, got low 2 and high 1"),
        (lambda: FloatRange(1.0000001, 1), "got low 1.0000001 and high 1"),
        (lambda: IntRange(3, 3), "low must be below high, got low 3 and high 3"),
        (lambda: FloatRange(0, 1, log=True), "low must be above 0 on a log scale, got low 0"),
        (lambda: FloatRange(0.1, 1, log=True, step=0.1), "step and log: true exclude each other, got step 0.1"),
        (lambda: IntRange(1, 9, log=True, step=2), "step and log: true exclude each other, got step 2"),
        (lambda: FloatRange(0, 1, step=2), "step must be above 0 and at most high - low = 1, got 2"),
        (lambda: FloatRange(0, 1, step=0), "step must be above 0"),
        (lambda: FloatRange(0, float("inf")), "must be finite"),
        (lambda: FloatRange(-1e308, 1e308), "must be finite"),
        (lambda: IntRange(1.5, 3), "low of an int range must be a whole number, got 1.5"),  # type: ignore[arg-type]
        (lambda: IntRange(1, 3, step=True), "step of an int range must be a whole number, got True"),
        (lambda: Choice(()), "choices must name at least one value"),
        (lambda: Choice(("a", "a")), "choices must differ from each other, got 'a' twice"),
        (lambda: Choice((float("nan"),)), "a value must be finite, got nan"),
        (lambda: Choice((np.float64(1),)), "a value must be a string, number, true, false or null"),
        (lambda: Constant([1]), "a value must be a string, number, true, false or null"),  # type: ignore[arg-type]
        (lambda: Choice(("a",)).index("b"), "'b' is not one of ['a']"),
    ],
)
def test_a_broken_rule_is_named_with_the_value_that_breaks_it(make: object, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        make()  # type: ignore[operator]
    assert message in str(caught.value)


def test_parameters_stand_after_those_they_depend_on_and_else_as_given() -> None:
    late = Parameter("late", IntRange(0, 1), when={"kind": ("a",)})
    later = Parameter("later", IntRange(0, 1), when={"late": (1,)})
    ordered = space(later, Parameter("z", IntRange(0, 1)), late, Parameter("kind", Choice(("a", "b"))))
    assert [p.name for p in ordered.parameters] == ["z", "kind", "late", "later"]


def test_a_drawn_point_holds_active_parameters_only() -> None:
    conditional = space(
        Parameter("kind", Choice(("a", "b"))),
        Parameter("depth", IntRange(1, 3), when={"kind": ("a",)}),
        Parameter("rate", FloatRange(0, 1), when={"kind": ("b",)}),
        Parameter("fine", Choice((True, False)), when={"depth": (1, 2), "kind": ("a",)}),
        Parameter("fixed", Constant(7)),
    )
    params = first(conditional)
    assert params == {"kind": "a", "depth": 1, "fine": True, "fixed": 7}
    assert conditional.contains(params)
    assert not conditional.contains({**params, "rate": 0.5})
    assert not conditional.contains({"kind": "a", "depth": 1, "fixed": 7})
    assert conditional.contains({"kind": "a", "depth": 3, "fixed": 7})
    assert not conditional.contains({"kind": "b", "rate": 1.5, "fixed": 7})


def test_a_condition_holds_for_the_value_of_the_same_type_alone() -> None:
    typed = space(Parameter("flag", Choice((1, True))), Parameter("child", Constant("on"), when={"flag": (True,)}))
    assert typed.draw(lambda _: 1) == {"flag": 1}
    assert typed.draw(lambda _: True) == {"flag": True, "child": "on"}


def test_a_condition_on_a_range_takes_the_type_of_the_range() -> None:
    conditional = space(Parameter("x", FloatRange(0, 2, step=1)), Parameter("child", Constant(0), when={"x": (1,)}))
    assert conditional.draw(lambda _: 1.0) == {"x": 1.0, "child": 0}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([Parameter("a", Constant(1)), Parameter("a", Constant(2))], "each parameter may be given once, got 'a' twice"),
        ([Parameter("a", Constant(1), when={"b": (1,)})], "a.when: no parameter 'b'; there are a"),
        ([Parameter("a", Choice((1, 2))), Parameter("b", Constant(1), when={"a": (3,)})], "b.when.a: a can never be 3"),
        ([Parameter("a", Choice((1, 2))), Parameter("b", Constant(1), when={"a": (True,)})], "a can never be True"),
        (
            [Parameter("a", Choice((1, 2))), Parameter("b", Constant(1), when={"a": ()})],
            "b.when.a must list at least one",
        ),
        ([Parameter("a", Constant(1), when={"a": (1,)})], "when: a waits for itself"),
        (
            [Parameter("a", Constant(1), when={"b": (1,)}), Parameter("b", Constant(1), when={"a": (1,)})],
            "when: a and b wait for each other",
        ),
    ],
)
def test_a_space_that_cannot_be_drawn_says_which_parameter_is_wrong(parameters: list[Parameter], message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        Space(tuple(parameters))
    assert message in str(caught.value)


def test_a_parameter_is_found_by_name() -> None:
    named = space(Parameter("a", Constant(1)), Parameter("b", Constant(2)))
    assert named["b"].domain == Constant(2)
    with pytest.raises(SpaceError, match="no parameter 'c'; there are a, b"):
        named["c"]


def test_a_space_travels_through_pickle_unchanged() -> None:
    whole = space(Parameter("x", STEPPED), Parameter("k", Choice((None, 1))), Parameter("n", IntRange(1, 5, log=True)))
    assert STEPPED.size == 10  # computed and kept
    assert pickle.loads(pickle.dumps(whole)) == whole
