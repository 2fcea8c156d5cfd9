"""What came of upgrading a database to the installed MLflow's revision, and how it was to be saved before."""

from dataclasses import dataclass
from enum import StrEnum


class Backup(StrEnum):
    """Whether a database is saved before it is upgraded."""

    MUST = "must"
    IF_POSSIBLE = "if possible"
    NONE = "none"


@dataclass(frozen=True)
class Upgraded:
    """The database, without a password; its revision before and after, the same where there was nothing to do.

    `backup` is where it was saved before, '' where it was not. `sizes` are its bytes before and after where its tables
    were laid out compactly.
    """

    database: str
    before: str
    after: str
    backup: str = ""
    sizes: tuple[int, int] | None = None
