"""The invented months have the schema of the real ones, the same trips for the same seed, and bad rows."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
from click.testing import CliRunner

Script = Callable[[str], ModuleType]
REAL_COLUMNS = [
    "VendorID",
    "lpep_pickup_datetime",
    "lpep_dropoff_datetime",
    "store_and_fwd_flag",
    "RatecodeID",
    "PULocationID",
    "DOLocationID",
    "passenger_count",
    "trip_distance",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "ehail_fee",
    "improvement_surcharge",
    "total_amount",
    "payment_type",
    "trip_type",
    "congestion_surcharge",
]


def test_the_columns_are_those_of_the_real_files(raw: Path) -> None:
    schema = pq.read_schema(raw / "green_tripdata_2023-01.parquet")
    assert schema.names == REAL_COLUMNS
    assert str(schema.field("lpep_pickup_datetime").type) == "timestamp[us]"
    assert str(schema.field("PULocationID").type) == "int32"


def test_the_same_seed_gives_the_same_trips_and_another_month_others(raw: Path, tmp_path: Path, script: Script) -> None:
    options = ["--dest", str(tmp_path), "--rows", "600", "--month", "2023-02"]
    done = CliRunner().invoke(script("make_taxi_data").main, options)
    assert done.output == f"{tmp_path}/green_tripdata_2023-02.parquet: 600 trips\n"
    again, before = (pq.read_table(folder / "green_tripdata_2023-02.parquet") for folder in (tmp_path, raw))
    assert again.equals(before)
    assert not again.equals(pq.read_table(raw / "green_tripdata_2023-01.parquet"))


def test_trips_start_in_their_month_and_far_ones_take_longer(raw: Path) -> None:
    table = pq.read_table(raw / "green_tripdata_2023-02.parquet").to_pandas()
    assert set(table.lpep_pickup_datetime.dt.strftime("%Y-%m")) == {"2023-02"}
    minutes = (table.lpep_dropoff_datetime - table.lpep_pickup_datetime).dt.total_seconds() / 60
    usual = minutes.between(1, 60)
    assert usual.mean() > 0.95
    assert np.corrcoef(table.trip_distance[usual], minutes[usual])[0, 1] > 0.7


def test_some_rows_are_as_bad_as_the_real_ones(tmp_path: Path, script: Script) -> None:
    path = tmp_path / "green_tripdata_2024-02.parquet"
    script("make_taxi_data").write_month(path, "2024-02", rows=5000, seed=0)
    table = pq.read_table(path).to_pandas()
    minutes = (table.lpep_dropoff_datetime - table.lpep_pickup_datetime).dt.total_seconds() / 60
    assert (minutes < 0).any()
    assert (minutes == 0).any()
    assert (minutes > 60).any()
    assert table.PULocationID.isna().any()


def test_a_month_that_is_none_is_refused(script: Script) -> None:
    done = CliRunner().invoke(script("make_taxi_data").main, ["--month", "2023-13"])
    assert done.exit_code == 2
    assert "must look like 2023-01, got '2023-13'" in done.stderr
