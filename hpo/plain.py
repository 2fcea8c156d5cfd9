"""Plain values from what user code hands over: floats, names and texts that any process and any store can take."""

import operator
from decimal import Decimal
from numbers import Real

NAME_LIMIT = 250
STEP_LIMIT = 2**63


def plain_number(value: object) -> float:
    """The value as a float: ints, floats, numpy scalars, Decimals, fractions and arrays or tensors without dimensions.

    TypeError for anything else, bool and str among them; OverflowError for an int that no float can hold.
    """
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return _plain_item(value)
    if isinstance(value, Decimal) and value.is_nan():  # float() refuses a signaling NaN
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        raise OverflowError(f"must fit into a float, got {type(value).__name__} of about {_magnitude(value)}") from None


def _plain_item(value: object) -> float:
    # numpy's and torch's own way to say "one number": no dimensions, and item() gives a Python value
    item = getattr(value, "item", None)
    if getattr(value, "shape", None) == () and callable(item):
        inner = item()
        if type(inner) in (int, float):
            return plain_number(inner)
    raise TypeError(f"must be a number, got {describe(value)}")


def _magnitude(value: object) -> str:
    return f"10**{int(value.bit_length() * 0.30103)}" if isinstance(value, int) else "more than 10**308"


def plain_step(value: object) -> int:
    """The step as an int; TypeError for anything that is not a whole number of 64 bits."""
    try:
        step = operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        raise TypeError(f"step must be a whole number, got {describe(value)}") from None
    if isinstance(value, bool) or not -STEP_LIMIT <= step < STEP_LIMIT:
        raise TypeError(f"step must be a whole number of 64 bits, got {describe(value)}")
    return int(step)


def plain_name(value: object, kind: str) -> str:
    """A name of a metric, tag, model or artifact; ValueError or TypeError that says the rule."""
    if not isinstance(value, str):
        raise TypeError(f"the name of a {kind} must be a string, got {describe(value)}")
    name = str.__str__(value)  # of a subclass (an Enum, numpy's str_) only the characters
    if not name.strip() or len(name) > NAME_LIMIT:
        raise ValueError(
            f"the name of a {kind} must have 1 to {NAME_LIMIT} characters, got {len(name)}: {describe(name)}"
        )
    if not name.isprintable():
        raise ValueError(f"the name of a {kind} must be printable, got {describe(name)}")
    return name


def plain_path(value: object) -> str:
    """An artifact's name: a relative path with forward slashes that stays below the run's artifacts."""
    name = plain_name(value, "file")
    parts = name.split("/")
    if "\\" in name or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"the name of a file must be a relative path such as 'plots/roc.png', got {name!r}")
    return name


def plain_text(value: str) -> str:
    """The text as UTF-8 and every database can hold it: lone surrogates and NUL are written out as escapes."""
    text = str.__str__(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def describe(value: object) -> str:
    """A short repr with the type, whatever the value's own repr does."""
    kind = type(value).__name__
    if value is None:
        return kind
    try:
        text = repr(value)
    except Exception:
        return kind
    return f"{kind} {plain_text(text if len(text) <= 60 else text[:57] + '...')}"
