"""The expression language: what it reads, what it refuses and where, and that it can do nothing else."""

import contextlib
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.expressions.evaluation import Known, is_true, value, violation
from hpo.expressions.kinds import check
from hpo.expressions.parser import FUNCTIONS, parse
from hpo.expressions.tree import ExpressionError, Undefined
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Value

PARAMS: dict[str, Value] = {
    "a": 2,
    "b": 3.5,
    "kind": "svc",
    "flag": True,
    "none": None,
    "net.width": 64,
    "clf__C": 0.5,
    "8th way": 1,
}
DOMAINS: dict[str, Domain | None] = {
    "a": IntRange(0, 9),
    "b": FloatRange(0, 9),
    "kind": Choice(("svc", "forest")),
    "flag": Choice((True, False)),
    "depth": Choice((None, 3, 5)),
    "fixed": Constant("so"),
    "wrong": None,
}


def come_to(text: str, **metrics: float) -> object:
    return value(parse(text), Known(PARAMS, metrics))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", True),
        ("a + 1 < b and not flag", False),
        ("0 < a <= 2 < b", True),
        ("0 < b <= 2 < a", False),
        ("2 + 3 * 4 - 6 / 3", 12.0),
        ("2 * 3 ** 2", 18),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("(2 + 3) * 4", 20),
        ("7 // 2 + 7 % 4", 6),
        ("10 - 3 - 2", 5),
        ("1e3 + .5 + 2.", 1002.5),
        ("kind == 'svc'", True),
        ("kind != \"svc\" or kind in ['forest', 'svc']", True),
        ("kind not in ['forest']", True),
        ("a in [1, 2.0, -3]", True),
        ("flag", True),
        ("flag == true and flag == True", True),
        ("none == null and none == None", True),
        ("flag == 1", False),
        ("a = 2", True),
        ("max(a, b, 1) + min(4, 2) + abs(-1)", 6.5),
        ("sqrt(16) + log(1)", 4.0),
        ("net.width / clf__C", 128.0),
        ("`8th way` + `net.width`", 65),
        ("metrics.latency * a", 20.0),
        ("metrics.`val loss` < 1", True),
        ("not a > b and true", True),
        ("'it''s' == 'it''s'", True),
        ("a > 5 or b > 3", True),
        ("(a < b) == true", True),
    ],
)
def test_what_an_expression_comes_to(text: str, expected: object) -> None:
    found = come_to(text, **{"latency": 10.0, "val loss": 0.5})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["1 / (a - 2) > 0", "log(0) < 1", "sqrt(-1) < 1", "kind < 3", "1e300 * 1e300 - 1e300 * 1e300 < 1", "none + 1 > 0",
     "(-8) ** 0.5 > 0", "10 ** 400 > 1", "metrics.gone > 1", "not metrics.gone > 1", "metrics.nan > 1", "7 % 0 > 1"],
)  # fmt: skip
def test_what_has_no_value_is_not_true(text: str) -> None:
    known = Known(PARAMS, {"nan": math.nan})
    assert not is_true(parse(text), known)
    assert violation(parse(text), known) == math.inf
    with pytest.raises(Undefined):
        value(parse(text), known)


def test_one_part_decides_whatever_has_no_value_beside_it() -> None:
    assert come_to("a == 2 or 1 / (a - 2) > 0") is True
    assert come_to("1 / (a - 2) > 0 or a == 2") is True
    assert come_to("1 / (a - 2) > 0 and a == 3") is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at column 1: an expression must not be empty; write one such as a < b"),
        ("a <", "at column 4: expected a name, a number or '(', got the end"),
        ("a < b c", "at column 7: expected an operator such as <, +, and, got 'c'"),
        ("a && b", "at column 3: '&' is not understood: write and"),
        ("!a", "at column 1: '!' is not understood: write not, or !="),
        ("kind == 'svc", 'at column 9: "\'" is not understood: the quote is never closed'),
        ("2x < 3", "at column 1: '2x' is no number; a name that begins with a digit needs backticks"),
        ("exp(a) < 1", "at column 1: there is no function 'exp'; there are abs, log, max, min, sqrt"),
        ("maxi(a, b) < 1", "there is no function 'maxi' - did you mean 'max'?"),
        ("log(a, 2) < 1", "at column 1: log takes one argument, got 2"),
        ("a in (1, 2)", "at column 6: expected a list such as [1, 2], got '('"),
        (
            "kind in [svc]",
            "at column 10: expected a number, a text, true, false or null, got 'svc': put text in quotes",
        ),
        ("a not 3", "at column 7: expected in, got '3'"),
        ("(a < b", "at column 7: expected ')', got the end"),
        ("a < 1e999", "at column 5: 1e999 is too large a number"),
        ("a.__class__(1)", "there is no function 'a.__class__'"),
        ("__import__('os')", "there is no function '__import__'"),
        ("[a for a in [1]]", "expected a name, a number or '(', got '['"),
        ("lambda: 1", "':' is not understood"),
        ("metrics. < 3", "at column 1: a metric is named metrics.NAME"),
        ("(" * 21 + "a" + ")" * 21, "an expression may be nested 20 deep"),
        ("not " * 21 + "flag", "an expression may be nested 20 deep"),
        ("a" * 2001, "an expression may have 2000 characters, this one has 2001"),
    ],
)
def test_what_is_no_expression_is_refused_at_its_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aa < 3", "at column 1: no parameter 'aa' - did you mean 'a'?"),
        ("0 < rate", "no parameter 'rate'; there are a, b, kind, flag, depth, fixed, wrong, and metrics.NAME"),
        ("kind < 3", "at column 1: '<' compares numbers, and kind is a text"),
        ("1 < 'x'", "at column 5: '<' compares numbers, and 'x' is a text"),
        ("a + kind > 1", "at column 5: '+' needs numbers, and kind is a text"),
        ("-kind > 1", "'-' needs numbers, and kind is a text"),
        ("max(a, kind) > 1", "at column 8: max needs numbers, and kind is a text"),
        ("a + b", "at column 1: a constraint must be true or false, and this is a number"),
        ("a", "a constraint must be true or false, and a is a number"),
        ("not a", "'not' needs conditions, which are true or false, and a is a number"),
        ("flag and a", "at column 10: 'and' needs conditions"),
        ("flag == 1", "flag is true or false and 1 is a number: they are never equal"),
        ("kind == a", "kind is a text and a is a number: they are never equal"),
        ("kind == 'sv'", "at column 9: kind is never 'sv' - did you mean 'svc'?"),
        ("depth in [3, 4]", "at column 14: depth is never 4; it is one of null, 3, 5"),
        ("'no' == fixed", "at column 1: fixed is never 'no'"),
        ("metrics.x == 'fast'", "metrics.x is a number and 'fast' is a text: they are never equal"),
    ],
)
def test_what_can_never_have_a_value_is_refused_before_anything_has_one(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        check(parse(text), DOMAINS)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["a < b", "depth == null or depth < 4", "depth in [null, 5.0]", "wrong < 3 and wrong == 'x'", "flag", "not flag",
     "metrics.x < a", "kind == 'svc' or a in [1, 2]", "1 < 2 < a"],
)  # fmt: skip
def test_what_can_make_sense_is_taken(text: str) -> None:
    check(parse(text), DOMAINS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.ms <= 100", 0.2),
        ("100 >= metrics.ms", 0.2),
        ("metrics.ms < 200", 0.0),
        ("metrics.ms < 120", 1e-9),
        ("metrics.ms == 100", 0.2),
        ("metrics.ms != 120", 1.0),
        ("metrics.ms <= 0", 120.0),
        ("metrics.ms <= metrics.budget", 20.0),
        ("metrics.ms <= 100 and metrics.budget <= 50", 1.2),
        ("metrics.ms <= 100 or metrics.budget <= 80", 0.2),
        ("not (metrics.ms > 100 or metrics.budget > 50)", 1.2),
        ("not metrics.ms > 100", 0.2),
        ("50 <= metrics.ms <= 60", 1.0),
        ("metrics.ms in [1, 2]", 1.0),
        ("metrics.ms not in [120, 2]", 1.0),
        ("metrics.gone <= 1 or metrics.ms > 1", 0.0),
        ("metrics.gone <= 1 and metrics.ms > 1", math.inf),
    ],
)
def test_how_far_a_condition_is_from_being_true(text: str, expected: float) -> None:
    known = Known(PARAMS, {"ms": 120.0, "budget": 100.0})
    assert violation(parse(text), known) == pytest.approx(expected)


numbers = st.integers(0, 9).map(str) | st.sampled_from(["a", "b", "0.5", "metrics.m"])


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(" ".join)
    called = st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})")
    return joined | called | inner.map(lambda text: f"({text})") | inner.map(lambda text: f"-{text}")


sums = st.recursive(numbers, _arithmetic, max_leaves=6)
comparisons = st.tuples(sums, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sums).map(" ".join)


def _logic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
    return joined | inner.map(lambda text: f"not {text}") | inner.map(lambda text: f"({text})")


conditions = st.recursive(comparisons, _logic, max_leaves=5)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(text=sums, a=st.integers(-3, 3), b=st.floats(-3, 3, allow_nan=False))
def test_arithmetic_is_that_of_python(text: str, a: int, b: float) -> None:
    try:
        expected = eval(
            text.replace("metrics.m", "m"), {"__builtins__": {"min": min, "max": max}}, {"a": a, "b": b, "m": 1.5}
        )
    except ZeroDivisionError:
        return
    assert value(parse(text), Known({"a": a, "b": b}, {"m": 1.5})) == expected


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(text=conditions, a=st.integers(-3, 3), m=st.none() | st.floats(-3, 3, allow_nan=False))
def test_a_condition_is_true_exactly_where_its_violation_is_zero(text: str, a: int, m: float | None) -> None:
    known = Known({"a": a, "b": 1.5}, {} if m is None else {"m": m})
    assert is_true(parse(text), known) is (violation(parse(text), known) == 0)
    check(parse(text), DOMAINS)


PIECES = [
    "a", "b", "kind", "(", ")", "[", "]", ",", "+", "-", "*", "/", "**", "<", "<=", "==", "in", "not", "and", "or",
    "9", "9e99", "'x'", "`a`", "metrics.m", "true", "null", ".", "max", "log", "__class__", ";", "\\", "{", "}",
]  # fmt: skip


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(text=st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join) | st.text(max_size=60))
def test_any_text_at_all_is_an_expression_or_refused(text: str) -> None:
    try:
        tree = parse(text)
        check(tree, DOMAINS)
    except ExpressionError:
        return
    violation(tree, Known(PARAMS, {"m": 1.0}))


@pytest.mark.parametrize(
    "text",
    ["9 ** 9 ** 9 ** 9 > 1", " * ".join(["9" * 40] * 46) + " > 0", "+".join("a" * 990) + " > 0",
     " and ".join(["flag"] * 220), "max(" + ",".join("b" * 900) + ") > 0", "(" * 20 + "a" + ")" * 20 + " > 1",
     "'" * 1999, "`" * 1999, "1e9" * 600, "a." * 900],
)  # fmt: skip
def test_the_longest_expressions_take_no_time(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(ExpressionError):
        violation(parse(text), Known(PARAMS))
    assert time.process_time() - began < 5


def test_the_functions_are_those_that_are_documented() -> None:
    assert FUNCTIONS == ("abs", "log", "max", "min", "sqrt")
