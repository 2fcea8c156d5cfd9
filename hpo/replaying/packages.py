"""Which Python runs trials again, with which packages and variables, and what of that is not as it was."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.config.reading import read_sweep_text
from hpo.errors import ProvenanceError
from hpo.masking import MASK
from hpo.provenance.changed import Changed
from hpo.provenance.digest_cache import cache_folder
from hpo.provenance.environment import VARIABLES, Environment, captured_environment
from hpo.provenance.environment_changes import environment_changes
from hpo.provenance.environment_elsewhere import environment_of
from hpo.provenance.installers import UNWANTED, find_uv
from hpo.provenance.lock import OWN, local_projects, requirements_text
from hpo.provenance.locked_environment import folder_name, make_locked_environment
from hpo.replaying.code_place import CodePlace
from hpo.replaying.record import Record
from hpo.replaying.wishes import LOCKED, SAME, Wishes
from hpo.worker_variables import HASH_SEED, PINNED_HASH_SEED

_NAMED = 5


@dataclass(frozen=True)
class Packages:
    """A Python with its packages: the program, the whole environment it is started with, and what is not as it was."""

    python: str
    variables: Mapping[str, str]
    changes: Sequence[Changed] = ()


def environments_folder(environ: Mapping[str, str]) -> Path | None:
    """Where this user's locked environments are kept, beside what else can be made again; None without a home."""
    digests = cache_folder(environ)
    return digests.parent / "environments" if digests else None


def packages_for(
    record: Record, environment: Environment | None, code: CodePlace, wishes: Wishes, folder: Path
) -> Packages:
    """The packages to replay with, given those on record, if any are; `folder` is for this replay alone.

    ProvenanceError where they have to be those on record and are not, or cannot be had.
    """
    variables = _variables(environment)
    if environment is None:
        if wishes.environment == LOCKED:
            raise ProvenanceError(f"no packages of {record.sweep!r} are on record; replay it with --env current")
        return Packages(sys.executable, variables)
    python = _locked(environment, code, wishes, folder) if wishes.environment == LOCKED else None
    if python:
        variables = _within(python, variables)
    now = _environment_now(record, environment, variables, python)
    # what was installed from the code on record comes from there again
    inside = _inside(environment, code)
    found = [
        each for each in environment_changes(environment, now) if each.what != "package" or each.name not in inside
    ]
    if wishes.environment == SAME:
        _require_same(record, found)
    return Packages(str(python or sys.executable), variables, found)


def _inside(environment: Environment, code: CodePlace) -> Mapping[str, Path]:
    """The projects that were installed from the code on record, and where they lie in the rebuilt one."""
    there = {name: code.counterpart(str(path)) for name, path in local_projects(environment).items()}
    return {name: path for name, path in there.items() if path is not None}


def _locked(environment: Environment, code: CodePlace, wishes: Wishes, folder: Path) -> Path:
    text, inside = requirements_text(environment), _inside(environment, code)
    # one that has projects of the rebuilt code in it goes with that
    kept = folder if inside or wishes.environments is None else wishes.environments
    target = kept / folder_name(environment, text, inside)
    return make_locked_environment(environment, text, target, uv=find_uv(), supply=wishes.supply, projects=inside)


def _within(python: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables inside of an environment: programs that a trial calls by name are its own."""
    kept = {name: value for name, value in variables.items() if name not in UNWANTED}
    path = os.pathsep.join(filter(None, (str(python.parent), kept.get("PATH"))))
    return {**kept, "VIRTUAL_ENV": str(python.parent.parent), "PATH": path}


def _variables(before: Environment | None) -> Mapping[str, str]:
    """The environment of this process, but with the variables on record as they were, and no others of their kind."""
    recorded = dict(before.variables) if before else {}
    mine = {name: value for name, value in os.environ.items() if before is None or name not in VARIABLES}
    mine.update({name: value for name, value in recorded.items() if MASK not in value})
    return {HASH_SEED: PINNED_HASH_SEED, **mine}


def _environment_now(
    record: Record, before: Environment, variables: Mapping[str, str], python: Path | None
) -> Environment:
    """What trials will really run in: of this Python, or of another one, which is asked."""
    config = read_sweep_text(record.config, "the sweep file on record")
    if HASH_SEED not in before.variables:  # it was drawn anew by each process then, so any one is as it was
        variables = {name: value for name, value in variables.items() if name != HASH_SEED}
    allowed, threads, backend = list(before.variables), config.parallel.inner_threads, config.parallel.backend
    command = config.objective.command is not None
    if python is None:
        return captured_environment(allowed, variables, inner_threads=threads, backend=backend, command=command)
    return environment_of(python, allowed, variables, inner_threads=threads, backend=backend, command=command)


def _require_same(record: Record, changes: Sequence[Changed]) -> None:
    wrong = [change for change in changes if change.what in ("python", "package") and change.name != OWN]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise ProvenanceError(
            f"the packages here are not those that {record.sweep!r} ran with: "
            f"{', '.join(map(str, wrong[:_NAMED]))}{more}; --env locked makes an environment with those on record, "
            "--env current runs with these and says what differs"
        )
