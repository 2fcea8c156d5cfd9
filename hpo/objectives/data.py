"""The data of a scikit-learn objective: loaded once per process, the held-out test part split away first."""

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import pandas as pd
from sklearn.model_selection import train_test_split

from hpo.errors import ObjectiveError
from hpo.objectives.importing import locate
from hpo.objectives.nearest import did_you_mean

READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


@dataclass(frozen=True)
class DataSource:
    """Where rows come from: `loader`, a dotted path to a function giving X and y, or `path` and the column `target`.

    `test` is the part that no trial sees: a share of the rows, drawn by `seed`, or another file; None for none.
    """

    loader: str = ""
    path: str = ""
    target: str = ""
    test: float | str | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Table:
    """Rows to learn from: features (a frame, an array, a sparse matrix, a list) and what to predict."""

    x: object
    y: object

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.x.shape[0]) if hasattr(self.x, "shape") else len(self.x)  # type: ignore[arg-type]  # rows

    def head(self, count: int) -> object:
        """The first rows of the features."""
        return self.x.iloc[:count] if isinstance(self.x, pd.DataFrame) else self.x[:count]  # type: ignore[index]  # rows


@dataclass(frozen=True, eq=False)
class Data:
    """The rows the search may see, and the test part that it never does."""

    train: Table
    test: Table | None


_loading = threading.Lock()


def load(source: DataSource, *, stratify: bool) -> Data:
    """The data, kept for the rest of this process; `stratify` keeps the shares of classes in the test part.

    ObjectiveError where it cannot be read, the target is not there, or a target value is missing.
    """
    with _loading:  # threads of one process load it once, too
        return _loaded(source, stratify)


def forget() -> None:
    """Makes the next `load` read again: a file may have changed since an earlier sweep of this process."""
    _loaded.cache_clear()


@lru_cache(maxsize=4)
def _loaded(source: DataSource, stratify: bool) -> Data:
    table = _read_file(source.path, source.target) if source.path else _call_loader(source.loader)
    if isinstance(source.test, str):
        return Data(table, _same_columns(table, _read_file(source.test, source.target), source))
    if source.test is None:
        return Data(table, None)
    try:
        x_train, x_test, y_train, y_test = train_test_split(
            table.x, table.y, test_size=source.test, random_state=source.seed, stratify=table.y if stratify else None
        )
    except ValueError as error:
        raise ObjectiveError(f"data.test: cannot split off a share of {source.test:g}: {error}") from error
    return Data(Table(x_train, y_train), Table(x_test, y_test))


def _read_file(path: str, target: str) -> Table:
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise ObjectiveError(f"data: {path} must be a {' or '.join(READERS)} file")
    if not file.is_file():
        beside = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
        raise ObjectiveError(f"data: there is no file {file.absolute()}{did_you_mean(file.name, beside)}")
    try:
        frame = reader(file)
    except Exception as error:
        raise ObjectiveError(f"data: {path} cannot be read: {type(error).__name__}: {error}") from error
    if target not in frame.columns:
        columns = [str(column) for column in frame.columns]
        raise ObjectiveError(
            f"data.target: {path} has no column {target!r}{did_you_mean(target, columns)}; it has {', '.join(columns)}"
        )
    return _checked(Table(frame.drop(columns=[target]), frame[target]), path)


def _call_loader(path: str) -> Table:
    loader = locate(path)
    if not callable(loader):
        raise ObjectiveError(f"data.loader: {path} must be a function, got {type(loader).__name__}")
    try:
        # scikit-learn's own loaders then give column names, which the model's signature keeps
        result = loader(as_frame=True) if _takes(loader, "as_frame") else loader()
    except Exception as error:
        raise ObjectiveError(f"data.loader: {path} failed: {type(error).__name__}: {error}") from error
    if isinstance(result, tuple) and len(result) == 2:
        return _checked(Table(*result), path)
    if hasattr(result, "data") and hasattr(result, "target"):
        return _checked(Table(result.data, result.target), path)
    raise ObjectiveError(
        f"data.loader: {path} must return X and y, or an object with data and target, got {type(result).__name__}"
    )


def _takes(function: Callable[..., object], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some functions written in C do not tell
        return False


def _checked(table: Table, named: str) -> Table:
    if table.rows == 0:
        raise ObjectiveError(f"data: {named} has no rows")
    missing = int(pd.isna(table.y).to_numpy().sum()) if hasattr(table.y, "iloc") else int(pd.isna(table.y).sum())  # type: ignore[call-overload]
    if missing:
        raise ObjectiveError(f"data.target: {missing} of {table.rows} rows of {named} have no target value")
    return table


def _same_columns(train: Table, test: Table, source: DataSource) -> Table:
    ours, theirs = cast(pd.DataFrame, train.x), cast(pd.DataFrame, test.x)
    if set(ours.columns) != set(theirs.columns):
        differing = sorted(str(column) for column in set(ours.columns) ^ set(theirs.columns))
        raise ObjectiveError(
            f"data.test: {source.test} must have the columns of {source.path}; only one has {', '.join(differing)}"
        )
    return Table(theirs[list(ours.columns)], test.y)
