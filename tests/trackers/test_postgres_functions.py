"""What a text means as a number, and in small letters, is on PostgreSQL what it is in Python."""

import random
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from trackers import matching
from trackers.sql.functions import code_points, is_like, number_in, small_letters
from trackers.sql.postgres_place import PostgresPlace, postgres_url

TEXTS = [
    "", "0", "-0", "+1", "1.", ".5", ".", "+", "-.5e-3", "1e5", "1E+5", "1e", "e5", "1_0", " 1", "1 ", "1\n", "\n1",
    "x", "2.4e-324", "nan", "inf", "-Infinity", "0x10", "١", "1e308", "1.7976931348623157e308",
    "1.797693134862315807e308", "1.7976931348623159e308", "1e309", "-1e309", "1e999", "-1e-999", "1e-323",
    "5e-324", "2.5e-324", "1e-400",
    "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999", "0.000e-99999", "9" * 308, "9" * 400,
    "0." + "0" * 400 + "1", "0." + "0" * 400 + "1e401", "1" + "0" * 400 + "e-400", "1" * 6000, "." + "0" * 5990 + "1",
    "." + "0" * 5990 + "1e5991", "1" + "0" * 7990 + "e-7990", "1e" + "0" * 3000 + "1", "0.1", "0.30000000000000004",
    "123456789012345678901234567890", "1e23", "8.5e-17", "1e-8330", "1e8330", "1" + "0" * 7990 + "e-8330", "1e-8331",
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    server = request.getfixturevalue("postgres")
    engine = PostgresPlace(postgres_url(server.uri())).reader()
    yield engine
    engine.dispose()


def asked(engine: sa.Engine, function: sa.ColumnElement[object], texts: list[str]) -> list[object]:
    rows = sa.func.unnest(sa.bindparam("texts", texts, type_=sa.ARRAY(sa.Text))).table_valued(
        sa.column("t", sa.Text), with_ordinality="o"
    )
    statement = sa.select(function).select_from(rows.render_derived("texts")).order_by(sa.literal_column("o"))
    with engine.connect() as connection:
        return list(connection.execute(statement).scalars())


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
    sent = sa.func.unnest(sa.bindparam("texts", texts, type_=sa.ARRAY(sa.Text))).column_valued("t")
    with engine.connect() as connection:
        assert list(connection.execute(sa.select(sent).order_by(code_points(sent))).scalars()) == sorted(texts)


@pytest.mark.parametrize("pattern", ["a%", "a\\%", "%\\", "_", "a\\_b", "%n%", "[a]", "a.b"])
def test_like_knows_two_special_characters_only(engine: sa.Engine, pattern: str) -> None:
    texts = ["a", "a%", "a\\b", "\\", "a_b", "a\\_b", "x\ny", "[a]", "axb", "a.b", "😀", "n"]
    assert asked(engine, is_like(COLUMN, sa.literal(pattern)), texts) == [
        matching.is_like(pattern, text) for text in texts
    ]
