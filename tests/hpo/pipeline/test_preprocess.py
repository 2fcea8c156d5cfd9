"""Preprocessing: which rows are kept and why not, what is fitted on what, and messages for what cannot be read."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo.errors import ConfigError, ObjectiveError
from hpo.pipeline import preprocess
from hpo.pipeline.prepared import open_prepared
from hpo.pipeline.trips import read_trips

START = pd.Timestamp("2023-01-05 12:00:00")
GOOD: Mapping[str, object] = {"PULocationID": 43, "DOLocationID": 151, "trip_distance": 2.5}


def month(path: Path, *, minutes: Sequence[float], **columns: Sequence[object]) -> Path:
    """A raw month with a trip for each duration, all alike but for the columns given."""
    rows = len(minutes)
    ended = [START + pd.Timedelta(minutes=duration) for duration in minutes]
    frame = pd.DataFrame(
        {
            "lpep_pickup_datetime": pd.Series([START] * rows, dtype="datetime64[us]"),
            "lpep_dropoff_datetime": pd.Series(ended, dtype="datetime64[us]"),
            **{name: [value] * rows for name, value in GOOD.items()},
            **columns,
        }
    )
    frame.to_parquet(path)
    return path


def three_months(folder: Path, **columns: Mapping[str, Sequence[object]]) -> Path:
    for part, number in {"train": 1, "validation": 2, "test": 3}.items():
        month(folder / f"green_tripdata_2023-0{number}.parquet", minutes=[10.0, 20.0], **columns.get(part, {}))
    return folder


def test_trips_of_1_to_60_minutes_are_kept_and_the_others_counted_by_reason(tmp_path: Path) -> None:
    path = month(tmp_path / "m.parquet", minutes=[-5, 0, 0.99, 1, 30, 60, 60.1, 1400])
    trips = read_trips([path])
    assert trips.minutes == [1.0, 30.0, 60.0]
    assert trips.read == 8
    assert {reason: n for reason, n in trips.dropped.items() if n} == {
        "shorter than 1 minute": 3,
        "longer than 60 minutes": 2,
    }


def test_rows_that_lack_a_zone_or_a_distance_are_dropped_once_each(tmp_path: Path) -> None:
    path = month(
        tmp_path / "m.parquet",
        minutes=[10, 10, 10, 0, 10],
        PULocationID=[43.0, None, 43.0, None, 43.0],
        trip_distance=[1.0, 1.0, None, None, float("inf")],
    )
    trips = read_trips([path])
    assert trips.features == [{"PU_DO": "43_151", "trip_distance": 1.0}]
    assert {reason: n for reason, n in trips.dropped.items() if n} == {"without a zone": 2, "without a distance": 2}


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64", "Int64"])
def test_zones_are_the_same_whatever_type_a_month_gives_them(tmp_path: Path, dtype: str) -> None:
    path = month(tmp_path / "m.parquet", minutes=[10], PULocationID=pd.Series([43], dtype=dtype))  # type: ignore[arg-type]
    assert read_trips([path]).features == [{"PU_DO": "43_151", "trip_distance": 2.5}]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_minutes_are_the_same_whatever_unit_times_have(tmp_path: Path, unit: str) -> None:
    ended = pd.Series([START + pd.Timedelta(minutes=12.5)], dtype=f"datetime64[{unit}]")
    path = month(tmp_path / "m.parquet", minutes=[10], lpep_dropoff_datetime=ended)  # type: ignore[arg-type]
    assert read_trips([path]).minutes == [12.5]


def test_several_months_make_one_part(tmp_path: Path) -> None:
    paths = [month(tmp_path / f"{n}.parquet", minutes=[10.0 + n]) for n in range(3)]
    trips = read_trips(paths)
    assert trips.minutes == [10.0, 11.0, 12.0]
    assert [source.file for source in trips.sources] == ["0.parquet", "1.parquet", "2.parquet"]


def test_a_limit_draws_the_same_trips_for_the_same_seed(raw: Path) -> None:
    path = raw / "green_tripdata_2023-01.parquet"
    some, again, others = (read_trips([path], limit=50, seed=seed) for seed in (1, 1, 2))
    assert len(some.minutes) == 50
    assert some.minutes == again.minutes != others.minutes
    assert (
        some.dropped["not drawn for the sample"]
        == 600 - sum(n for reason, n in some.dropped.items() if reason != "not drawn for the sample") - 50
    )


def test_the_preprocessor_is_fitted_on_train_only(tmp_path: Path) -> None:
    three_months(tmp_path, validation={"PULocationID": [7, 43]})
    data = open_prepared(preprocess(tmp_path, tmp_path / "out").folder)
    assert data.preprocessor().get_feature_names_out().tolist() == ["PU_DO=43_151", "trip_distance"]
    assert data.part("validation").x.toarray().tolist() == [[0.0, 2.5], [1.0, 2.5]]


def test_what_is_stored_is_what_the_preprocessor_makes_of_the_trips(raw: Path, data: Path) -> None:
    trips, prepared = read_trips([raw / "green_tripdata_2023-03.parquet"]), open_prepared(data)
    test = prepared.part("test")
    assert np.array_equal(test.y, trips.minutes)
    assert (prepared.preprocessor().transform(trips.features) != test.x).nnz == 0


def test_the_manifest_says_where_every_row_came_from_and_went(data: Path) -> None:
    manifest = json.loads((data / "manifest.json").read_text())
    train = manifest["parts"]["train"]
    assert train["months"] == ["2023-01"]
    assert train["sources"][0]["file"] == "green_tripdata_2023-01.parquet"
    assert len(train["sources"][0]["sha256"]) == 64
    assert train["read"] == 600 == train["kept"] + sum(train["dropped"].values())


def test_the_same_months_give_the_same_digests_and_another_month_others(raw: Path, data: Path, tmp_path: Path) -> None:
    again = open_prepared(preprocess(raw, tmp_path / "again").folder)
    other = open_prepared(preprocess(raw, tmp_path / "other", rows=100).folder)
    before = open_prepared(data).digests("train", "validation", "test")
    assert again.digests("train", "validation", "test") == before
    assert not set(before.values()) & set(other.digests("train", "validation", "test").values())
    assert len(set(before.values())) == 3
    assert all(len(digest) <= 36 for digest in before.values())


@pytest.mark.parametrize("name", ["train.npz", "preprocessor.skops"])
def test_a_file_that_was_altered_is_not_read(data: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(data, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[100] ^= 1
    (copy / name).write_bytes(content)
    prepared = open_prepared(copy)
    with pytest.raises(ObjectiveError, match=rf"{name} is not what manifest.json vouches for"):
        prepared.preprocessor() if name.endswith("skops") else prepared.part("train")


def test_a_folder_without_prepared_data_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match=r"no prepared data in .*; make it with: python scripts/preprocess.py"):
        open_prepared(tmp_path)


def test_a_missing_month_is_named_with_the_nearest_file(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file .*green_tripdata_2023-04.parquet; the nearest there is green_"):
        preprocess(raw, tmp_path / "out", months={"test": ["2023-04"]})
    with pytest.raises(ConfigError, match="there are no Parquet files in"):
        preprocess(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = month(tmp_path / "yellow.parquet", minutes=[10])
    names = {"lpep_pickup_datetime": "tpep_pickup_datetime", "trip_distance": "km"}
    pd.read_parquet(path).rename(columns=names).to_parquet(path)
    with pytest.raises(ConfigError) as caught:
        read_trips([path])
    assert "no column 'lpep_pickup_datetime' (the nearest is 'tpep_pickup_datetime')" in str(caught.value)
    assert "no column 'trip_distance'" in str(caught.value)


def test_a_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    path = month(tmp_path / "m.parquet", minutes=[10], lpep_pickup_datetime=["2023-01-05"], PULocationID=["43"])
    with pytest.raises(ConfigError) as caught:
        read_trips([path])
    assert "column 'lpep_pickup_datetime' must be a timestamp, got" in str(caught.value)
    assert "column 'PULocationID' must be a number, got" in str(caught.value)


def test_a_month_of_which_nothing_is_left_is_refused_with_the_reasons(tmp_path: Path) -> None:
    path = month(tmp_path / "m.parquet", minutes=[0, 0, 90])
    with pytest.raises(ConfigError, match="3 rows, 2 shorter than 1 minute, 1 longer than 60 minutes"):
        read_trips([path])
    empty = month(tmp_path / "empty.parquet", minutes=[])
    with pytest.raises(ConfigError, match=r"no trips are left of .*empty.parquet: 0 rows"):
        read_trips([empty])


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    path.write_text("<html>403 Forbidden</html>")
    with pytest.raises(ConfigError, match=r"m\.parquet is not a Parquet file that can be read"):
        read_trips([path])


def test_a_month_in_two_parts_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stands in train and in validation; give each part its own"):
        preprocess(raw, tmp_path / "out", months={"validation": ["2023-01"]})


def test_what_is_neither_a_month_nor_a_file_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a month must look like 2023-01, or be a \.parquet file; got 'January'"):
        preprocess(raw, tmp_path / "out", months={"train": ["January"]})


def test_files_can_be_given_by_name(raw: Path, tmp_path: Path) -> None:
    copy = shutil.copy(raw / "green_tripdata_2023-01.parquet", tmp_path / "mine.parquet")
    made = preprocess(raw, tmp_path / "out", months={"train": [str(copy)], "test": ["green_tripdata_2023-03.parquet"]})
    assert made.read == {"train": 600, "validation": 600, "test": 600}
