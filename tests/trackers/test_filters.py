"""The filter language: what it makes of a text, and what it says of a wrong one."""

import pytest

from trackers.conditions import And, Comparison, Key, Kind, Not, Operator, Or
from trackers.errors import FilterError
from trackers.filters import parse_filter, parse_order
from trackers.records import Order

RMSE = Key(Kind.METRIC, "rmse")


def test_a_filter_becomes_a_tree() -> None:
    made = parse_filter("metrics.rmse < 6 and (params.kind = 'rf' or not tags.`my team` != \"it's\")")
    assert made == And(
        (
            Comparison(RMSE, Operator.LESS, (6.0,)),
            Or(
                (
                    Comparison(Key(Kind.PARAM, "kind"), Operator.EQUAL, ("rf",)),
                    Not(Comparison(Key(Kind.TAG, "my team"), Operator.DIFFERENT, ("it's",))),
                )
            ),
        )
    )


def test_an_empty_filter_restricts_nothing() -> None:
    assert parse_filter("  \n") is None


def test_and_binds_closer_than_or() -> None:
    assert parse_filter("number = 1 OR number = 2 AND number = 3") == parse_filter(
        "number=1 or (number=2 and number=3)"
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("attributes.run_name = 'x'", "name = 'x'"),
        ("attributes.start_time > 5", "started > 5"),
        ("status == 'finished'", "status = 'FINISHED'"),
        ("params.a <> 'x'", "params.a != 'x'"),
        ("metrics.a not in (1, 2)", "metrics.a NOT IN (1,2)"),
        ("params.deep = TRUE", "params.deep = 'True'"),
        ('metrics."a b" >= -.5e1', "metrics.`a b` >= -5"),
        ("tags.a = 'it''s'", 'tags.a = "it\'s"'),
    ],
)
def test_spellings_that_mean_the_same(text: str, same: str) -> None:
    assert parse_filter(text) == parse_filter(same)


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("metric.rmse < 6", "unknown word 'metric' - did you mean 'metrics.rmse'?", 0),
        ("name = 'x' and param.lr < 6", "did you mean 'params.lr'?", 15),
        ("stats = 'x'", "unknown word 'stats' - did you mean 'status'?", 0),
        ("status = 'FINISHD'", "did you mean 'FINISHED'?", 9),
        ("state = 'DONE'", "unknown word 'DONE'; there are WAITING, RUNNING, COMPLETE, PRUNED, FAILED", 8),
        ("metrics.rmse < 'six'", "metrics.rmse is a number and is compared to numbers", 15),
        ("name = 6", "name is compared to a text here, write '6'", 7),
        ("params.kind = rf", "did you mean 'rf'?", 14),
        ("params.kind like 5", "write '5'", 17),
        ("metrics.rmse", "here an operator is needed", 12),
        ("metrics.rmse < ", "here a value is needed", 15),
        ("metrics.rmse < 6 5", "AND, OR or the end", 17),
        ("(metrics.rmse < 6", "here ')' is needed", 17),
        ("metrics.rmse in (1, 'x')", "all values of a list", 17),
        ("metrics.rmse is 5", "after IS comes NULL or NOT NULL", 16),
        ("metrics. < 5", "after 'metrics.' a name is needed", 0),
        ("name = 'x", "this quote ' is never closed", 7),
        ("name = 'x'; drop table runs", "here ';' means nothing", 10),
        ("metrics.rmse < 1e999", "this number is too large", 15),
        ("6 < metrics.rmse", "here a key is needed", 0),
        ("name = 'a\0b'", "NUL", 7),
    ],
)
def test_a_fault_is_named_with_a_caret_below_it(text: str, message: str, at: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    said, shown, caret = str(caught.value).split("\n")
    assert message in said
    assert shown == "    " + text
    assert caret.index("^") - 4 == at


def test_a_filter_may_not_be_endless() -> None:
    with pytest.raises(FilterError, match="2048 bytes, this one has 3000"):
        parse_filter("x" * 3000)
    with pytest.raises(FilterError, match="nested 20 deep"):
        parse_filter("(" * 25 + "number = 1" + ")" * 25)
    with pytest.raises(FilterError, match="nested 20 deep"):
        parse_filter("not " * 25 + "number = 1")
    assert parse_filter(" or ".join(["number = 1"] * 100)) is not None


def test_an_order_is_one_key() -> None:
    assert parse_order(Order("metrics.`a b`")) == Key(Kind.METRIC, "a b")
    assert parse_order(Order("started")) == Key(Kind.ATTRIBUTE, "started")
    with pytest.raises(FilterError, match="the end"):
        parse_order(Order("started desc"))


def test_bare_names_are_metrics_where_that_is_asked_for() -> None:
    made = parse_filter("rmse < 6 and val/loss > 1 and seconds < 30 and metrics.rmse < 6", bare_metrics=True)
    assert isinstance(made, And)
    keys = [part.key for part in made.parts if isinstance(part, Comparison)]
    assert keys == [RMSE, Key(Kind.METRIC, "val/loss"), Key(Kind.ATTRIBUTE, "seconds"), RMSE]
    with pytest.raises(FilterError, match="unknown word 'rmse'"):
        parse_filter("rmse < 6")
    with pytest.raises(FilterError, match="is a number and is compared to numbers"):
        parse_filter("rmse < 'a'", bare_metrics=True)
