"""An estimator's class and all its parameters as plain JSON values."""

import math
import re
from collections.abc import Mapping

from hpo.masking import hidden

TEXT_LIMIT = 1000
ITEM_LIMIT = 100

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def class_of(estimator: object) -> str:
    """The dotted path of its class."""
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}"


def parameters_of(estimator: object) -> dict[str, object]:
    """All parameters by name, those of steps and of inner estimators too; what no JSON can hold as a short text.

    The same estimator gives the same texts in every process.
    """
    get_params = getattr(estimator, "get_params", None)
    params: Mapping[str, object] = get_params(deep=True) if callable(get_params) else {}
    return {name: hidden(name, plain(value)) for name, value in sorted(params.items())}


def plain(value: object) -> object:
    """The value in JSON's own types: numpy's scalars as numbers, NaN and infinities, objects and functions as text."""
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, str) else value[:TEXT_LIMIT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping) and len(value) <= ITEM_LIMIT:
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and len(value) <= ITEM_LIMIT:
        return [plain(item) for item in value]
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return plain(value.item())
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    try:
        text = _ADDRESS.sub("", repr(value))
    except Exception:  # whatever its own repr does
        return type(value).__qualname__
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 3] + "..."
