"""What is said of each column of the data."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from hpo.objectives import data_profile
from hpo.objectives.data import Table
from hpo.objectives.data_profile import column_count, column_profiles

Y = pd.Series([0, 1, 1], name="y")


def of(values: object) -> dict[str, object]:
    [column, _] = column_profiles(Table(pd.DataFrame({"x": values}), Y), "y")
    return {key: value for key, value in column.items() if key not in ("name", "digest")}


def digests(frame: pd.DataFrame) -> dict[str, object]:
    return {str(column["name"]): column["digest"] for column in column_profiles(Table(frame, Y), "y")}


def test_numbers_have_a_range_and_a_mean_and_missing_ones_are_counted() -> None:
    assert of([1.0, np.nan, 4.0]) == {"type": "float64", "missing": 1, "min": 1.0, "max": 4.0, "mean": 2.5}
    assert of([1, 2, 6]) == {"type": "int64", "missing": 0, "min": 1, "max": 6, "mean": 3.0}
    assert of(pd.array([1, None, 3], dtype="Int64")) == {
        "type": "Int64", "missing": 1, "min": 1, "max": 3, "mean": 2.0,
    }  # fmt: skip


def test_what_is_no_finite_number_has_no_range() -> None:
    assert of([np.nan] * 3) == {"type": "float64", "missing": 3}
    assert of([1.0, np.inf, 2.0]) == {"type": "float64", "missing": 0, "min": 1.0}
    assert of([True, False, True]) == {"type": "bool", "missing": 0}
    assert of([1j, 2j, 3j]) == {"type": "complex128", "missing": 0}
    assert of(["a", None, "b"])["missing"] == 1
    assert of([[1], [2, 3], None]) == {"type": "object", "missing": 1}
    assert of(pd.Series(["a", "b", "a"], dtype="category"))["type"] == "category"
    assert of(pd.to_datetime(["2026-01-01", None, "2026-01-02"]))["missing"] == 1


def test_a_digest_tells_which_column_differs() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2], "c": ["x", "y", "z"], "d": [[1], [2], [3]]})
    changed = frame.copy()
    changed.loc[1, "b"], changed.loc[2, "c"] = 7.0, "w"

    before, after = digests(frame), digests(changed)
    assert {name for name in before if before[name] != after[name]} == {"b", "c"}
    assert {len(str(digest)) for digest in before.values()} == {8}
    assert digests(frame[::-1])["a"] != before["a"]


def test_the_target_comes_last_and_arrays_have_numbered_columns() -> None:
    table = Table(np.arange(6).reshape(3, 2), [1, 2, 3])
    assert [column["name"] for column in column_profiles(table, "price")] == ["0", "1", "price"]
    assert column_count(table) == 3


def test_columns_of_one_name_are_two() -> None:
    frame = pd.DataFrame([[1, 2.5]] * 3, columns=["x", "x"])
    assert [column["type"] for column in column_profiles(Table(frame, Y), "y")] == ["int64", "float64", "int64"]


@pytest.mark.parametrize(
    "x", [csr_matrix(np.eye(3)), [[1], [2], [3]], np.zeros((3, 2, 2))], ids=["sparse", "list", "3d"]
)
def test_of_data_that_is_no_table_nothing_is_said(x: object) -> None:
    assert column_profiles(Table(x, Y), "y") == ()


def test_of_wide_data_less_is_said_and_it_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(pd.DataFrame(np.zeros((3, 4))), Y)
    everything = json.dumps(column_profiles(table, "y"))
    monkeypatch.setattr(data_profile, "LONGEST", len(everything) - 1)
    short = column_profiles(table, "y")
    assert [set(column) for column in short] == [{"name", "type", "digest"}] * 5
    monkeypatch.setattr(data_profile, "WIDE", 4)
    assert column_profiles(table, "y") == short
    monkeypatch.setattr(data_profile, "LONGEST", len(json.dumps(short)) - 1)
    assert column_profiles(table, "y") == ()
    monkeypatch.setattr(data_profile, "WIDEST", 4)
    assert column_profiles(table, "y") == ()
