"""Item 1 again, on PostgreSQL: every side on a new database of the same server, on this machine, by its socket."""

from collections.abc import Iterator
from pathlib import Path

from databases import databases
from items.overhead import SIDES, compare
from items.scale import Scale
from ratios import Comparison, Item

AMONG = {
    "ours": "ours",
    "Optuna, SQLite": "Optuna's own storage",
    "Optuna + MLflowCallback": "",
    "hyperopt + mlflow nested": "",
    "MlflowClient by hand": "",
}
TEXT = (
    "The same on PostgreSQL, where there is a server to write to: one on this machine, by its socket, with durable "
    "settings; each side on a new database of it."
)


def measure(scale: Scale) -> Iterator[Item]:
    sides = [side.renamed(AMONG[side.name] or side.name) for side in SIDES if side.name in AMONG]
    made: list[Comparison] = []
    with databases("postgresql") as new_database:
        for jobs in (1, 2):
            name, comparison = "one after the other" if jobs == 1 else "two workers", None
            for comparison in compare(sides, scale, jobs, name, lambda: new_database(Path())):
                yield Item("postgresql", "Overhead of a trial on PostgreSQL", TEXT, [*made, comparison])
            made += [comparison] if comparison else []
