"""Conditions on runs as data: what a filter text becomes, before a store turns it into SQL or a loop."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Where a key is looked up."""

    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"
    ATTRIBUTE = "attributes"


class Operator(StrEnum):
    """How a key is compared; each is false where there is nothing to compare."""

    EQUAL = "="
    DIFFERENT = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    LIKE = "LIKE"
    NOT_LIKE = "NOT LIKE"
    ILIKE = "ILIKE"
    NOT_ILIKE = "NOT ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    PRESENT = "IS NOT NULL"
    ABSENT = "IS NULL"


NUMBERS = frozenset({"number", "started", "ended", "seconds", "value", "attempt"})
ATTRIBUTES = frozenset({"status", "state", "name", "run_id", "reason"}) | NUMBERS
"""Attributes of a run: of every run status, state (of a run that is no trial of ours: what its status means), name,
run_id, started and ended (milliseconds since 1970), seconds; of trials number, value, reason, attempt."""


@dataclass(frozen=True)
class Key:
    """What is compared."""

    kind: Kind
    name: str

    @property
    def is_number(self) -> bool:
        """Whether it is a number by nature."""
        return self.kind is Kind.METRIC or (self.kind is Kind.ATTRIBUTE and self.name in NUMBERS)


@dataclass(frozen=True)
class Comparison:
    """A key against values: one, several for IN, none for IS NULL; all of them numbers, or all texts."""

    key: Key
    operator: Operator
    values: tuple[str, ...] | tuple[float, ...] = ()


@dataclass(frozen=True)
class And:
    """True where all parts are."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Or:
    """True where one part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """True where the part is not."""

    part: "Condition"


Condition = Comparison | And | Or | Not
