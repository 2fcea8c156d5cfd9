"""The formats of `-f`."""

import csv
import io
import json
import math

import pytest
from ruamel.yaml import YAML

from hpo.cli.fields_view import as_field_table, as_fields
from hpo.cli.formats import Table, as_csv, as_json, as_markdown, as_table, as_yaml, fitting

TABLE = Table(
    ("number", "value", "note"),
    [{"number": 3, "value": 0.123456789, "note": "a|b\x1b"}, {"number": 12, "value": None, "note": "=1+1"}],
)


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    assert as_table(TABLE).splitlines() == [
        "number     value  note",
        "     3  0.123457  a|b\\x1b",
        "    12         -  =1+1",
    ]


def test_wide_characters_take_two_columns() -> None:
    table = Table(("a", "b"), [{"a": "日本", "b": "x"}, {"a": "abcd", "b": "y"}])
    assert as_table(table).splitlines()[1:] == ["日本  x", "abcd  y"]


def test_an_empty_table_is_its_head() -> None:
    assert as_table(Table(("a", "b"), [])) == "a  b"


def test_what_does_not_fit_into_the_width_is_left_out_from_the_right() -> None:
    assert fitting(TABLE, 16).columns == ("number", "value")
    assert fitting(TABLE, 25).columns == TABLE.columns
    assert fitting(TABLE, 3).columns == ("number", "value")


def test_json_is_strict_and_full() -> None:
    data = {"a": math.nan, "b": [math.inf, 0.1 + 0.2], "c": True, "d": "\x1b\x7f\x9b\u202e é"}
    text = as_json(data)
    assert json.loads(text) == {"a": None, "b": [None, 0.30000000000000004], "c": True, "d": data["d"]}
    assert not {"\x1b", "\x7f", "\x9b", "\u202e"} & set(text)
    assert "é" in text


def test_yaml_holds_the_same_as_json() -> None:
    data = {"a": math.nan, "list": [1, 1.5, "no", "1e-3", "x\x1b"], "nested": {"z": 1, "a": None}}
    text = as_yaml(data)
    assert "\x1b" not in text
    assert YAML(typ="safe").load(text) == json.loads(as_json(data))


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\t=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted_in_csv(text: str) -> None:
    written = as_csv(Table(("=head", "b"), [{"=head": text, "b": -1.5}]))
    rows = list(csv.reader(io.StringIO(written)))
    assert rows[0][0] == "'=head"
    assert rows[1][0].startswith("'")
    assert rows[1][1] == "-1.5"


def test_csv_keeps_all_digits_and_types() -> None:
    row = {"f": 0.1 + 0.2, "b": True, "n": None, "t": 'a,"b"', "inf": 1.7976931348623157e308}
    assert as_csv(Table(list(row), [row])).splitlines()[1] == '0.30000000000000004,true,,"a,""b""",inf'


def test_markdown_cells_cannot_break_out() -> None:
    table = Table(("a|b", "n"), [{"a|b": "<img src=x>`|`\n", "n": 1}])
    assert as_markdown(table).splitlines() == [
        r"| a\|b | n |",
        "| --- | ---: |",
        r"| &lt;img src=x>\`\|\`\n | 1 |",
    ]


def test_fields_stand_one_a_line_with_blocks_indented() -> None:
    fields = {"name": "x\x1b", "empty": None, "none": {}, "params": {"a": 1, "long_one": 2.5}, "trace": "l1\nl2\x1b"}
    assert as_fields(fields).splitlines() == [
        "name  x\\x1b",
        "params",
        "  a         1",
        "  long_one  2.5",
        "trace",
        "  l1",
        "  l2\\x1b",
    ]
    assert [row["field"] for row in as_field_table(fields).rows] == ["name", "params.a", "params.long_one", "trace"]
