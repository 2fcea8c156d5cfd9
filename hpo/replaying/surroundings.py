"""Where trials run again: which code, which Python with which packages, and what of that is not as it was."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hpo.captures import NOT_CAPTURED, Capture
from hpo.config.reading import read_sweep_text
from hpo.errors import ProvenanceError
from hpo.masking import MASK
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_capture import captured_code
from hpo.provenance.code_changes import code_changes
from hpo.provenance.digest_cache import cache_folder
from hpo.provenance.environment import VARIABLES, Environment, captured_environment
from hpo.provenance.environment_changes import environment_changes
from hpo.provenance.installers import UNWANTED, Supply, find_uv
from hpo.provenance.lock import OWN, local_projects, requirements_text
from hpo.provenance.locked_environment import make_locked_environment
from hpo.replaying.code_place import CodePlace, copied_code, current_code, recorded_code
from hpo.replaying.data_place import place_data
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
    `ignored` are patterns of metrics that are not compared. `supply` is where the packages of a locked environment
    come from, `environments` the folder that keeps such environments for the next time. `keep` is a folder for a copy
    of the code and of all that trials kept and printed.
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
    keep: Path | None = None


@dataclass(frozen=True)
class Surroundings:
    """What trials run in. `variables` is their whole environment, `changes` what is known to differ from then.

    `folder` is for this replay alone, `moved` where data files lie now (see `place_data`).
    """

    code: CodePlace
    folder: Path
    variables: Mapping[str, str]
    python: str = sys.executable
    changes: Sequence[Changed] = ()
    moved: Mapping[str, str] = field(default_factory=dict)


def environments_folder(environ: Mapping[str, str]) -> Path | None:
    """Where this user's locked environments are kept, beside what else can be made again; None without a home."""
    digests = cache_folder(environ)
    return digests.parent / "environments" if digests else None


@contextmanager
def surroundings_of(
    record: Record, capture: Capture | None, wishes: Wishes, folder: Path, *, tree: Path | None = None
) -> Iterator[Surroundings]:
    """The surroundings, for as long as the block lasts; ProvenanceError for what cannot be had again, with a remedy.

    `capture` is what is on record of code and environment, None for a sweep of which nothing is; `tree` a folder that
    holds the code already.
    """
    with _code(record, capture, wishes, folder / "code", tree) as code:
        moved = place_data(record, code, wishes.data)
        changes: list[Changed] = []
        if _has_code(capture) and capture and not code.original:
            changes += _code_changes(capture.code, code, wishes.repository)
        environment = capture.environment if capture and capture.environment.python else None
        variables = _variables(environment)
        python = sys.executable
        if environment and wishes.environment == LOCKED:
            python = str(_locked(environment, code, wishes, folder))
            variables = {name: value for name, value in variables.items() if name not in UNWANTED}
        elif wishes.environment == LOCKED:
            raise ProvenanceError(
                f"no packages of {record.sweep!r} are on record; replay it with --env current or same"
            )
        if environment:
            now = _environment_now(record, environment, variables)
            found = environment_changes(environment, now)
            if wishes.environment == SAME:
                _require_same(record, found)
            if (
                wishes.environment == LOCKED
            ):  # `found` speaks of this Python; that one is as it was, but for our package
                found = [change for change in found if change.name == OWN or change.what not in ("python", "package")]
            changes += found
        yield Surroundings(code, folder, variables, python, changes, moved)


@contextmanager
def _code(
    record: Record, capture: Capture | None, wishes: Wishes, target: Path, tree: Path | None
) -> Iterator[CodePlace]:
    if wishes.code != RECORDED:
        yield current_code(record, wishes.repository)
        return
    if capture is None or not _has_code(capture):
        raise ProvenanceError(
            f"no code of {record.sweep!r} is on record: it was run by a version that did not keep it, or with "
            "capture: {code: false}; --code current replays with the code that lies there now"
        )
    paths = capture.environment.paths
    if tree is not None:
        yield copied_code(capture.code, paths, tree, target)
        return
    with recorded_code(capture.code, paths, target, wishes.repository) as code:
        yield code


def _has_code(capture: Capture | None) -> bool:
    return capture is not None and capture.code.without != NOT_CAPTURED


def _code_changes(before: Code, code: CodePlace, repository: Path | None) -> Sequence[Changed]:
    now = captured_code(code.folder, code.started_in, _modules(before, code), CodeSettings())
    return code_changes(before, now, repository)


def _modules(before: Code, code: CodePlace) -> Sequence[Path]:
    """The files that were captured, as they are now; without git they are all that is known of the code."""
    folder = code.folder
    top = folder.parents[len(Path(before.folder).parts) - 1] if before.folder not in ("", ".") else folder
    return [path for name in before.files if (path := top / name).is_file()]


def _locked(environment: Environment, code: CodePlace, wishes: Wishes, folder: Path) -> Path:
    text = requirements_text(environment)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    there = {name: code.counterpart(str(path)) for name, path in local_projects(environment).items()}
    return make_locked_environment(
        environment,
        text,
        (wishes.environments or folder) / f"environment-{digest}",
        uv=find_uv(),
        supply=wishes.supply,
        projects={name: path for name, path in there.items() if path is not None},
    )


def _variables(before: Environment | None) -> Mapping[str, str]:
    """The environment of this process, but with the variables on record as they were, and no others of their kind."""
    recorded = dict(before.variables) if before else {}
    mine = {name: value for name, value in os.environ.items() if before is None or name not in VARIABLES}
    mine.update({name: value for name, value in recorded.items() if MASK not in value})
    return {HASH_SEED: PINNED_HASH_SEED, **mine}


def _environment_now(record: Record, before: Environment, variables: Mapping[str, str]) -> Environment:
    config = read_sweep_text(record.config, "the sweep file on record")
    parallel = config.parallel
    if HASH_SEED not in before.variables:  # it was drawn anew by each process then, so any one is as it was
        variables = {name: value for name, value in variables.items() if name != HASH_SEED}
    return captured_environment(
        list(before.variables),
        variables,
        inner_threads=parallel.inner_threads,
        backend=parallel.backend,
        command=config.objective.command is not None,
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
