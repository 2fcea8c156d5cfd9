"""How somebody wants trials to be replayed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.provenance.installers import Supply

SAME, LOCKED, CURRENT = "same", "locked", "current"
"""Which Python: this one if its packages are those on record, a fresh one with those, this one whatever it has."""
RECORDED = "recorded"


@dataclass(frozen=True)
class Wishes:
    """How to replay. `environment` is same, locked or current, `code` recorded or current.

    `repository` is where the code's history is, or for current code where it lies; `data` a folder to look for data in.
    `ignored` are patterns of metrics that are not compared. `supply` is where the packages of a locked environment
    come from, `environments` the folder that keeps such environments for the next time. `artifacts` are folders to look
    for the store's files in, where they are not where they were. `keep` is a folder for a copy of the code and of all
    that trials kept and printed.
    """

    environment: str = SAME
    code: str = RECORDED
    repository: Path | None = None
    data: Path | None = None
    seed: int | None = None
    slots: int = 1
    ignored: Sequence[str] = ()
    supply: Supply = field(default_factory=Supply)
    environments: Path | None = None
    artifacts: Sequence[Path] = ()
    keep: Path | None = None
