"""A model's input example and signature, in MLflow's form (https://mlflow.org/docs/latest/ml/model/signatures)."""

import base64
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

ROWS = 5
"""How many rows of an example are kept, as many as MLflow's autologging keeps."""

EXAMPLE_FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"

_Column: TypeAlias = "pd.Series[Any]"

_log = logging.getLogger(__name__)


class _NotExpressible(Exception):
    """MLflow's signatures have no word for this."""


@dataclass(frozen=True)
class Example:
    """An input example: the rows as the model takes them, MLflow's facts of them, and the files that hold them."""

    rows: object
    info: Mapping[str, str]
    files: Mapping[str, str]


def make_example(given: object) -> Example | None:
    """The first rows of what was given, or None, with a note in the log, for what MLflow has no form for."""
    if given is None:
        return None
    rows = _first_rows(given)
    try:
        info, content, serving = _form(rows)
        # MLflow writes NaN as null, and a strict reader refuses NaN
        texts = {
            EXAMPLE_FILE: json.dumps(_plain(content), allow_nan=False),
            SERVING_FILE: json.dumps(_plain(serving), allow_nan=False, indent=2),
        }
    except (_NotExpressible, TypeError, ValueError) as error:
        _log.warning("the model is saved without an input example: %s", error)
        return None
    return Example(rows, {"artifact_path": EXAMPLE_FILE, "serving_input_path": SERVING_FILE, **info}, texts)


def make_signature(rows: object, predictions: object) -> Mapping[str, str | None] | None:
    """MLflow's signature of a model that made these predictions of these rows.

    None where columns or tensors cannot say it. That holds for lists too: MLflow would turn them into a table before
    predicting, which a model fitted on lists of dicts or texts cannot read.
    """
    try:
        inputs = _schema(rows)
        is_table = inputs[0]["type"] != "tensor"
        if is_table and isinstance(predictions, np.ndarray) and predictions.ndim == 1:
            predictions = pd.Series(predictions)
        return {"inputs": json.dumps(inputs), "outputs": json.dumps(_schema(predictions)), "params": None}
    except _NotExpressible as error:
        _log.info("the model is saved without a signature: %s", error)
        return None


def _first_rows(given: object) -> object:
    if isinstance(given, pd.DataFrame):
        return given.iloc[:ROWS]
    if isinstance(given, tuple):
        return list(given[:ROWS])
    if sparse.issparse(given):
        rows = given if isinstance(given, sparse.csc_matrix) else sparse.csr_matrix(given)
        return rows[:ROWS]
    if isinstance(given, list | np.ndarray) and np.ndim(given) != 0:
        return given[:ROWS]
    return given


def _form(rows: object) -> tuple[dict[str, str], object, object]:
    """MLflow's name of the form, the content of the example, and of the serving example."""
    if isinstance(rows, pd.DataFrame):
        names: list[object] = list(rows.columns)
        content: dict[str, object] = {"columns": names, "data": rows.to_numpy(dtype=object).tolist()}
        if names == list(range(len(names))):
            del content["columns"]
        return (
            {"type": "dataframe", "pandas_orient": "split" if "columns" in content else "values"},
            content,
            {"dataframe_split": content},
        )
    if isinstance(rows, np.ndarray):
        return {"type": "ndarray"}, rows.tolist(), {"inputs": rows.tolist()}
    if isinstance(rows, sparse.csr_matrix | sparse.csc_matrix):
        form = "sparse_matrix_csr" if isinstance(rows, sparse.csr_matrix) else "sparse_matrix_csc"
        parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
        content = {key: part.tolist() for key, part in parts.items()} | {"shape": list(rows.shape)}
        return {"type": form}, content, {"inputs": rows.toarray().tolist()}
    if isinstance(rows, list):
        return {"type": "json_object"}, rows, {"inputs": rows}
    raise _NotExpressible(f"a {type(rows).__name__} is not an array, table, sparse matrix or list")


def _plain(value: object) -> object:
    """JSON values only, NaN as null, bytes in base64, as MLflow has them."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.encodebytes(value).decode("ascii")
    if isinstance(value, date):  # datetime and pandas.Timestamp are dates too
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    raise _NotExpressible(f"it holds a {type(value).__name__}, which JSON cannot")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _NotExpressible(f"{key!r} as a key is not a text")
    return key


def _schema(data: object) -> Sequence[Mapping[str, object]]:
    if isinstance(data, np.ndarray):
        return [_tensor(data.dtype, data.shape)]
    if isinstance(data, sparse.csr_matrix | sparse.csc_matrix):
        return [_tensor(data.dtype, data.shape)]
    if isinstance(data, pd.DataFrame):
        return [_column(data[name], name) for name in data.columns]
    if isinstance(data, pd.Series):
        return [_column(data, data.name)]
    raise _NotExpressible(f"a {type(data).__name__} is neither a table nor an array of numbers")


def _tensor(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Mapping[str, object]:
    if not shape:
        raise _NotExpressible("a single number has no rows")
    # texts lose their length: numpy's '<U7' is 'str' to MLflow
    name = {"U": "str", "S": "bytes"}.get(dtype.kind, dtype.name)
    return {"type": "tensor", "tensor-spec": {"dtype": name, "shape": [-1, *shape[1:]]}}


def _column(column: _Column, name: object) -> Mapping[str, object]:
    if not (name is None or isinstance(name, str | int)):
        raise _NotExpressible(f"the column's name {name!r} is not a text")
    if not isinstance(column, pd.Series):
        raise _NotExpressible(f"two columns are called {name!r}")
    required = not bool(column.isna().any())
    named = {} if name is None else {"name": name}
    return {"type": _column_type(column), **named, "required": required}


def _column_type(column: _Column) -> str:
    if column.dtype.kind == "O":
        column = column.infer_objects()
    dtype = column.dtype
    if dtype.kind == "O":
        return _type_of_items(column.dropna().tolist())
    size = getattr(dtype, "itemsize", 8)
    if dtype.kind in "iu":
        # one more byte for the sign of unsigned numbers
        wide = size * 2 if dtype.kind == "u" else size
        if wide <= 8:
            return "integer" if wide <= 4 else "long"
    found = {"b": "boolean", "f": "float" if size <= 4 else "double", "M": "datetime"}.get(dtype.kind)
    if found is None or size > 8:
        raise _NotExpressible(f"a column of {dtype}")
    return found


def _type_of_items(items: Sequence[object]) -> str:
    types = {type(item) for item in items}
    words = {str: "string", bool: "boolean", int: "long", float: "double", bytes: "binary"}
    if len(types) != 1 or (kind := types.pop()) not in words:
        raise _NotExpressible(f"a column of mixed or unknown values: {sorted(t.__name__ for t in types)}")
    return words[kind]
