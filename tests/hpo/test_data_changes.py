"""What is said of data sets that differ."""

import json
from collections.abc import Sequence

from hpo.data_changes import data_changes
from trackers.records import Dataset

COLUMNS = {"a": ("int64", "01"), "b": ("float64", "02"), "y": ("int64", "03")}


def data(
    digest: str, rows: int = 150, columns: dict[str, tuple[str, str]] | None = None, *, name: str = "iris",
    context: str = "training",
) -> Dataset:  # fmt: skip
    listed = [{"name": key, "type": kind, "digest": own} for key, (kind, own) in (columns or COLUMNS).items()]
    profile = json.dumps({"num_rows": rows, "num_columns": len(listed), "columns": listed})
    return Dataset(name, digest, profile=profile, context=context)


def detail(before: Dataset, after: Dataset) -> Sequence[str]:
    [change] = data_changes([before], [after])
    return change.detail.splitlines()


def test_the_same_data_sets_do_not_differ_wherever_they_stand_and_whatever_they_are_called() -> None:
    assert not data_changes([data("d1"), data("d2", name="wine")], [data("d2", name="wine"), data("d1")])
    assert not data_changes([data("d1", name="old")], [data("d1", name="new")])


def test_a_data_set_of_one_side_alone_is_named() -> None:
    assert [str(change) for change in data_changes([data("d1")], [])] == ["data iris: 150 rows, digest d1 -> nothing"]
    assert [str(change) for change in data_changes([], [data("d1")])] == ["data iris: nothing -> 150 rows, digest d1"]


def test_another_number_of_rows_is_said() -> None:
    [change] = data_changes([data("d1")], [data("d2", 151, {**COLUMNS, "a": ("int64", "ff")})])
    assert str(change) == "data iris: 150 rows, digest d1 -> 151 rows, digest d2"
    assert change.detail == "rows: 150 -> 151"


def test_columns_whose_values_differ_are_named() -> None:
    assert detail(data("d1"), data("d2", columns={**COLUMNS, "b": ("float64", "ff")})) == ["values differ in: b"]
    others = {name: (kind, "ff") for name, (kind, _) in COLUMNS.items()}
    assert detail(data("d1"), data("d2", columns=others)) == [
        "values differ in all 3 columns: rows may only stand in another order"
    ]


def test_columns_that_came_went_or_changed_their_type_are_named() -> None:
    now = {"b": ("int64", "99"), "c": ("int64", "98"), "y": ("int64", "03")}
    assert detail(data("d1"), data("d2", columns=now)) == [
        "columns removed: a",
        "columns added: c",
        "type of b: float64 -> int64",
    ]


def test_of_many_columns_the_first_are_named() -> None:
    before, after = ({f"c{n}": (kind, f"{n}") for n in range(10)} for kind in ("int64", "float64"))
    assert detail(data("d1", columns=before), data("d2", columns=after)) == [
        "types differ of: c0, c1, c2, c3, c4, c5, c6, c7 and 2 more"
    ]


def test_columns_in_another_order_are_said() -> None:
    assert detail(data("d1"), data("d2", columns=dict(reversed(COLUMNS.items())))) == [
        "the columns stand in another order"
    ]


def test_training_and_test_part_of_one_name_are_two() -> None:
    test = data("d3", context="test")
    [change] = data_changes([data("d1"), test], [data("d2"), test])
    assert (change.before, change.after) == ("150 rows, digest d1", "150 rows, digest d2")


def test_of_a_file_its_size_is_said_and_of_a_stranger_what_there_is() -> None:
    small, large = (Dataset("x", f"d{size}", profile=json.dumps({"bytes": size})) for size in (10, 12))
    assert detail(small, large) == ["size: 10 -> 12 bytes"]
    odd = Dataset("x", "d2", source="{", schema='{"mlflow_colspec": 7}', profile="[1]")
    [change] = data_changes([small], [odd])
    assert (change.before, change.after, change.detail) == ("10 bytes, digest d10", "digest d2", "")
    table = Dataset("x", "d3", profile=json.dumps({"num_rows": 1, "bytes": 11, "columns": [{"name": "a"}]}))
    [change] = data_changes([small], [table])
    assert (change.before, change.after) == ("10 bytes, digest d10", "11 bytes, digest d3")
    assert change.detail == "size: 10 -> 11 bytes"
