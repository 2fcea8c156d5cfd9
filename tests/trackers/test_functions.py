"""What a text means as a number, and in small letters, is on each database what it is in Python."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from trackers import matching
from trackers.opening import open_store
from trackers.sql.functions import code_points, is_like, number_in, small_letters
from trackers.sql.postgres_place import PostgresPlace, postgres_url
from trackers.sql.sqlite_place import SqlitePlace

TEXTS = [
    "", "0", "-0", "+1", "1.", ".5", ".", "+", "-.5e-3", "1e5", "1E+5", "1e", "e5", "1_0", " 1", "1 ", "1\n", "\n1",
    "x", "2.4e-324", "nan", "inf", "-Infinity", "0x10", "١", "1e308", "1.7976931348623157e308",
    "1.797693134862315807e308", "1.7976931348623159e308", "1e309", "-1e309", "1e999", "-1e-999", "1e-323",
    "5e-324", "2.5e-324", "1e-400",
    "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999", "0.000e-99999", "9" * 308, "9" * 400,
    "0." + "0" * 400 + "1", "0." + "0" * 400 + "1e401", "1" + "0" * 400 + "e-400", "1" * 6000, "." + "0" * 5990 + "1",
    "." + "0" * 5990 + "1e5991", "1" + "0" * 7990 + "e-7990", "1e" + "0" * 3000 + "1", "0.1", "0.30000000000000004",
    "123456789012345678901234567890", "1e23", "8.5e-17", "1e-8330", "1e8330", "1" + "0" * 7990 + "e-8330", "1e-8331",
    *(f"{sign}{2**power + more}" for sign in ("", "-", "+") for power in (53, 63, 64) for more in (-1, 0, 1, 3)),
    "-1", "007", "9007199254740993", "-9223372036854775809", "9223372036854775807.0", "12\n",
]  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("functions") / "mlflow.db"
        with open_store(f"sqlite:///{path}"):
            engine = SqlitePlace(path).reader()
    else:
        server = request.getfixturevalue("postgres")
        engine = PostgresPlace(postgres_url(server.uri())).reader()
    yield engine
    engine.dispose()


def asked(engine: sa.Engine, function: sa.ColumnElement[object], texts: list[str]) -> list[object]:
    statement = sa.select(function).select_from(_rows(engine, texts)).order_by(sa.literal_column("o"))
    with engine.connect() as connection:
        return list(connection.execute(statement).scalars())


def _rows(engine: sa.Engine, texts: list[str]) -> sa.FromClause:
    """A table `texts` with the columns t and o, the place."""
    if engine.dialect.name == "sqlite":
        every = sa.func.json_each(json.dumps(texts)).table_valued("value", "key").alias("every")
        return sa.select(every.c.value.label("t"), every.c.key.label("o")).subquery("texts")
    rows = sa.func.unnest(sa.bindparam("texts", texts, type_=sa.ARRAY(sa.Text)))
    return rows.table_valued(sa.column("t", sa.Text), with_ordinality="o").render_derived("texts")


COLUMN = sa.literal_column("texts.t", sa.Text)


def test_a_text_looks_like_the_number_that_python_sees_in_it(engine: sa.Engine) -> None:
    draw = random.Random(5)
    made = [
        f"{draw.choice(['', '-', '+'])}{draw.randrange(10 ** draw.randrange(1, 330))}{draw.choice(['', '.', '.5'])}"
        f"{draw.choice(['', 'e', 'E'])}{draw.choice(['', '-', '+'])}{draw.choice(['', '0', '7', '300', '308', '330'])}"
        for _ in range(2000)
    ]
    texts = TEXTS + made
    found = asked(engine, number_in(COLUMN), texts)
    expected = [matching.number_in(text) for text in texts]
    wrong = [
        (text[:40], mine, theirs) for text, mine, theirs in zip(texts, expected, found, strict=True) if mine != theirs
    ]
    assert wrong == []


def test_letters_of_every_alphabet_become_small(engine: sa.Engine) -> None:
    texts = ["ÄÖÜ", "ΑΣ", "ЖУК", "İ", "straße", "ǅ", "Ⅷ", "𐐀", "x"]
    assert asked(engine, small_letters(COLUMN), texts) == [text.lower() for text in texts]


def test_texts_sort_by_code_point(engine: sa.Engine) -> None:
    texts = ["a", "B", "ä", "Z", "_", "é", "\U0001f600", "\ufffd", "", "1", " "]
    statement = sa.select(COLUMN).select_from(_rows(engine, texts)).order_by(code_points(COLUMN))
    with engine.connect() as connection:
        assert list(connection.execute(statement).scalars()) == sorted(texts)


@pytest.mark.parametrize("pattern", ["a%", "a\\%", "%\\", "_", "a\\_b", "%n%", "[a]", "a.b"])
def test_like_knows_two_special_characters_only(engine: sa.Engine, pattern: str) -> None:
    texts = ["a", "a%", "a\\b", "\\", "a_b", "a\\_b", "x\ny", "[a]", "axb", "a.b", "😀", "n"]
    assert asked(engine, is_like(COLUMN, sa.literal(pattern)), texts) == [
        matching.is_like(pattern, text) for text in texts
    ]
