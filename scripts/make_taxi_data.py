"""Makes Parquet files of the NYC green-taxi schema, for where the real ones cannot be downloaded.

The columns and their types are those of the files at
https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page; the trips are invented: zones lie in a plane, the speed
depends on the hour, the weekday and the zones, and some rows are as bad as the real ones.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ZONES = 263
MONTHS = ("2023-01", "2023-02", "2023-03")
SECOND = np.timedelta64(1_000_000, "us")

# shares of bad rows, about what the real files hold
BACKWARDS, STANDING, FORGOTTEN, NOWHERE, DISPATCHED = 0.002, 0.015, 0.004, 0.003, 0.06


@dataclass(frozen=True)
class City:
    """Per zone: how far each other zone is (miles), how busy it is, how fast traffic moves there."""

    apart: Floats
    busy: Floats
    flow: Floats


@dataclass(frozen=True)
class Trips:
    """Per trip: zones counted from 0, miles, when it starts, and how long it takes in minutes."""

    pickup: Ints
    dropoff: Ints
    distance: Floats
    started: NDArray[np.datetime64]
    working_day: NDArray[np.bool_]
    hour: Ints
    minutes: Floats


def _check_months(context: click.Context, option: click.Parameter, months: tuple[str, ...]) -> tuple[str, ...]:
    for month in months:
        if not re.fullmatch(r"(19|20)\d\d-(0[1-9]|1[0-2])", month):
            raise click.BadParameter(f"a month must look like 2023-01, got {month!r}", context, option)
    return months


@click.command(help=__doc__)
@click.option("--dest", type=click.Path(file_okay=False, path_type=Path), default="data/green", show_default=True)
@click.option("--month", "months", multiple=True, default=MONTHS, show_default=True, callback=_check_months)
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True, help="Trips a month.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(dest: Path, months: tuple[str, ...], rows: int, seed: int) -> None:
    """Writes `green_tripdata_YYYY-MM.parquet` for every month; the same seed gives the same trips."""
    dest.mkdir(parents=True, exist_ok=True)
    for month in months:
        path = dest / f"green_tripdata_{month}.parquet"
        write_month(path, month, rows=rows, seed=seed)
        click.echo(f"{path}: {rows} trips")


def write_month(path: Path, month: str, *, rows: int, seed: int) -> None:
    """Writes one month of invented trips. The city depends on the seed alone, so all months share it."""
    year, number = (int(part) for part in month.split("-"))
    rng = np.random.default_rng([seed, year, number])
    trips = _draw_trips(_draw_city(seed), month, rows, rng)
    pq.write_table(pa.table(_columns(trips, rng)), path)


def _draw_city(seed: int) -> City:
    rng = np.random.default_rng([seed, 0])
    place = rng.normal(scale=(1.3, 2.2), size=(ZONES, 2))
    return City(
        apart=np.linalg.norm(place[:, None] - place[None], axis=2),
        busy=rng.permutation(1 / np.arange(1, ZONES + 1) ** 1.2),
        flow=rng.lognormal(sigma=0.18, size=ZONES),
    )


def _draw_trips(city: City, month: str, rows: int, rng: np.random.Generator) -> Trips:
    pickup, dropoff = _draw_zones(city, rows, rng)
    distance = 1.25 * city.apart[pickup, dropoff] + rng.gamma(2.0, 0.3, rows)

    # few trips at night, most in the evening
    first = np.datetime64(month, "M")
    days = np.arange(first.astype("datetime64[D]"), (first + np.timedelta64(1, "M")).astype("datetime64[D]"))
    by_hour = 1.2 + np.cos((np.arange(24) - 18) * math.pi / 12) + 0.3 * np.isin(np.arange(24), (8, 9))
    day, hour = rng.choice(days, rows), rng.choice(24, rows, p=by_hour / by_hour.sum())
    started: NDArray[np.datetime64] = np.add(day, (hour * 3600 + rng.integers(3600, size=rows)) * SECOND)

    # slow at rush hours of working days, quick at night and on long ways
    working_day = np.is_busday(day)
    rush = working_day & (np.isin(hour, (8, 9)) | ((hour >= 16) & (hour <= 19)))
    speed = 10.5 * np.where(rush, 0.78, 1.0) * np.where(hour < 6, 1.35, 1.0) * (1 + distance / 25)
    speed *= np.sqrt(city.flow[pickup] * city.flow[dropoff])
    minutes = (1.5 + 60 * distance / speed) * rng.lognormal(sigma=0.16, size=rows)
    return Trips(pickup, dropoff, distance, started, working_day, hour, _spoil(minutes, rng))


def _draw_zones(city: City, rows: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Where trips start and end: from busy zones to near and busy ones."""
    pickup = rng.choice(ZONES, rows, p=city.busy / city.busy.sum())
    pull = np.cumsum(city.busy**0.7 * np.exp(-city.apart / 1.5), axis=1)
    drawn = rng.random(rows) * pull[pickup, -1]
    return pickup, np.minimum((pull[pickup] < drawn[:, None]).sum(axis=1), ZONES - 1)


def _spoil(minutes: Floats, rng: np.random.Generator) -> Floats:
    """What meters get wrong: clocks set back, rides that never began, meters left running."""
    rows, fate = len(minutes), rng.random(len(minutes))
    standing = (fate >= BACKWARDS) & (fate < BACKWARDS + STANDING)
    spoiled = np.where(fate < BACKWARDS, -minutes, minutes)
    spoiled = np.where(standing, rng.choice([0.0, 0.2, 0.5], rows), spoiled)
    return np.where(fate > 1 - FORGOTTEN, rng.uniform(61, 1439, rows), spoiled)


def _columns(trips: Trips, rng: np.random.Generator) -> Mapping[str, pa.Array]:
    rows = len(trips.minutes)
    nowhere = rng.random(rows) < NOWHERE
    dispatched = rng.random(rows) < DISPATCHED  # booked by phone: these rows lack much in the real files too

    def drawn(values: list[float] | list[str], shares: list[float]) -> pa.Array:
        return pa.array(rng.choice(np.array(values), rows, p=shares), mask=dispatched)

    night, evening = (trips.hour < 6) | (trips.hour >= 20), (trips.hour >= 16) & (trips.hour < 20) & trips.working_day
    fare = 3.0 + 3.5 * trips.distance + 0.35 * trips.minutes.clip(0, 90)
    extra = np.where(evening, 2.5, np.where(night, 1.0, 0.0))
    tip = np.where(rng.random(rows) < 0.6, 0.2 * fare, 0.0)
    tolls = np.where(rng.random(rows) < 0.02, 6.55, 0.0)
    congestion = np.where(trips.distance > 5, 2.75, 0.0)
    return {
        "VendorID": pa.array(rng.choice([1, 2], rows, p=[0.13, 0.87]), pa.int32()),
        "lpep_pickup_datetime": pa.array(trips.started, pa.timestamp("us")),
        "lpep_dropoff_datetime": pa.array(
            trips.started + np.round(trips.minutes * 60).astype(int) * SECOND, pa.timestamp("us")
        ),
        "store_and_fwd_flag": drawn(["N", "Y"], [0.995, 0.005]),
        "RatecodeID": drawn([1.0, 2.0, 5.0], [0.96, 0.01, 0.03]),
        "PULocationID": pa.array(trips.pickup + 1, pa.int32(), mask=nowhere),
        "DOLocationID": pa.array(trips.dropoff + 1, pa.int32(), mask=nowhere),
        "passenger_count": drawn([1.0, 2.0, 5.0], [0.84, 0.1, 0.06]),
        "trip_distance": pa.array(np.round(trips.distance, 2)),
        "fare_amount": pa.array(np.round(fare, 2)),
        "extra": pa.array(extra),
        "mta_tax": pa.array(np.full(rows, 0.5)),
        "tip_amount": pa.array(np.round(tip, 2)),
        "tolls_amount": pa.array(tolls),
        "ehail_fee": pa.nulls(rows, pa.float64()),
        "improvement_surcharge": pa.array(np.full(rows, 1.0)),
        "total_amount": pa.array(np.round(fare + extra + 0.5 + tip + tolls + 1.0 + congestion, 2)),
        "payment_type": drawn([1.0, 2.0], [0.65, 0.35]),
        "trip_type": drawn([1.0, 2.0], [0.97, 0.03]),
        "congestion_surcharge": pa.array(congestion, mask=dispatched),
    }


if __name__ == "__main__":
    main()
