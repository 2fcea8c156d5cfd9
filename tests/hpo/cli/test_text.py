"""Values as text for people."""

import pytest

from hpo.cli.text import cell, duration, hide_passwords, iso_time, lines, one_line


def test_control_characters_are_shown_as_their_codes() -> None:
    assert one_line("a\x1b[31m\x07\x7f\x9b\nb\tc") == r"a\x1b[31m\x07\x7f\x9b\nb\x09c"


def test_characters_that_turn_the_reading_direction_are_shown_too() -> None:
    assert one_line("gpj.\u202eexe") == r"gpj.\u202eexe"


def test_letters_of_all_languages_stay() -> None:
    assert one_line("naïve 日本 🙂") == "naïve 日本 🙂"


def test_texts_of_many_lines_keep_lines_and_tabs() -> None:
    assert lines("a\r\n\tb\x1b\rc") == "a\n\tb\\x1b\\x0dc"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://joe:s3cret@db/x", "postgresql://joe:***@db/x"),
        ("cannot open postgresql+psycopg://:s3cret@db/x now", "cannot open postgresql+psycopg://:***@db/x now"),
        ("mysql://joe:p:w/d@@h", "mysql://joe:***@h"),
        ("postgresql://db/x?user=joe&password=s3cret&a=1", "postgresql://db/x?user=joe&password=***&a=1"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
    ],
)
def test_passwords_in_uris_are_hidden(text: str, hidden: str) -> None:
    assert hide_passwords(text) == hidden


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "true"),
        (12345678, "12345678"),
        (0.123456789, "0.123457"),
        (1e-9, "1e-09"),
        (float("nan"), "nan"),
        (-1.7976931348623157e308, "-inf"),
        (["a", 1], "a, 1"),
        ([], "-"),
        ("x" * 100, "x" * 57 + "..."),
    ],
)
def test_cells_are_short(value: object, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4213, "0.42 s"),
        (17.4, "17 s"),
        (59.8, "60 s"),
        (250.2, "4 min 10 s"),
        (3600, "1 h"),
        (187200, "2 d 4 h"),
        (None, None),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, shown: str | None) -> None:
    assert duration(seconds) == shown


def test_times_are_iso_8601_in_utc() -> None:
    assert iso_time(1_760_000_000_123) == "2025-10-09T08:53:20.123+00:00"
    assert iso_time(None) is None
    assert iso_time(10**18) is None
