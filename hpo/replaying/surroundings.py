"""Where trials run again: which code, which Python with which packages, and what of that is not as it was."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.config.reading import read_sweep_text
from hpo.errors import ProvenanceError
from hpo.masking import MASK
from hpo.provenance.changed import Changed
from hpo.provenance.environment import VARIABLES, Environment, captured_environment
from hpo.provenance.environment_changes import environment_changes
from hpo.replaying.code_place import CodePlace, current_code
from hpo.replaying.record import Record
from hpo.worker_variables import HASH_SEED, PINNED_HASH_SEED

SAME, LOCKED, CURRENT = "same", "locked", "current"
"""Which Python: this one if its packages are those on record, a fresh one with those, this one whatever it has."""
RECORDED = "recorded"
_NAMED = 5


@dataclass(frozen=True)
class Wishes:
    """How to replay. `environment` is same, locked or current, `code` recorded or current.

    `repository` is where the code's history is, or for current code where it lies; `data` a folder to look for data in.
    `ignored` are patterns of metrics that are not compared.
    """

    environment: str = SAME
    code: str = RECORDED
    repository: Path | None = None
    data: Path | None = None
    seed: int | None = None
    slots: int = 1
    ignored: Sequence[str] = ()


@dataclass(frozen=True)
class Surroundings:
    """What trials run in. `variables` is their whole environment, `changes` what is known to differ from then.

    `folder` is for this replay alone.
    """

    code: CodePlace
    folder: Path
    variables: Mapping[str, str]
    python: str = sys.executable
    changes: Sequence[Changed] = ()


@contextmanager
def surroundings_of(
    record: Record, environment: Environment | None, wishes: Wishes, folder: Path
) -> Iterator[Surroundings]:
    """The surroundings, for as long as the block lasts; ProvenanceError for what cannot be had again, with a remedy."""
    variables = _variables(environment)
    found = Surroundings(current_code(record, wishes.repository), folder, variables)
    if environment is not None:
        now = _environment_now(record, environment, variables)
        changes = environment_changes(environment, now)
        if wishes.environment == SAME:
            _require_same(record, changes)
        found = replace(found, changes=[*found.changes, *changes])
    yield found


def _variables(before: Environment | None) -> Mapping[str, str]:
    """The environment of this process, but with the variables on record as they were, and no others of their kind."""
    recorded = dict(before.variables) if before else {}
    mine = {name: value for name, value in os.environ.items() if before is None or name not in VARIABLES}
    mine.update({name: value for name, value in recorded.items() if MASK not in value})
    return {HASH_SEED: PINNED_HASH_SEED, **mine}


def _environment_now(record: Record, before: Environment, variables: Mapping[str, str]) -> Environment:
    parallel = read_sweep_text(record.config, "the sweep file on record").parallel
    return captured_environment(
        list(before.variables), variables, inner_threads=parallel.inner_threads, backend=parallel.backend
    )


def _require_same(record: Record, changes: Sequence[Changed]) -> None:
    wrong = [change for change in changes if change.what in ("python", "package")]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise ProvenanceError(
            f"the packages here are not those that {record.sweep!r} ran with: "
            f"{', '.join(map(str, wrong[:_NAMED]))}{more}; --env locked makes an environment with those on record, "
            "--env current runs with these and says what differs"
        )
