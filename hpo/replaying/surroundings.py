"""Where trials run again: which code, which Python with which packages, which data, and what is not as it was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hpo.captures import NOT_CAPTURED, Capture
from hpo.errors import ProvenanceError
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_capture import captured_code
from hpo.provenance.code_changes import code_changes
from hpo.replaying.code_place import CodePlace, copied_code, current_code, recorded_code
from hpo.replaying.data_place import place_data
from hpo.replaying.packages import Packages, packages_for
from hpo.replaying.record import Record
from hpo.replaying.wishes import RECORDED, Wishes


@dataclass(frozen=True)
class Surroundings:
    """What trials run in. `changes` is what is known to differ from then.

    `folder` is for this replay alone, `moved` where data files lie now (see `place_data`).
    """

    code: CodePlace
    packages: Packages
    folder: Path
    changes: Sequence[Changed] = ()
    moved: Mapping[str, str] = field(default_factory=dict)


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
        environment = capture.environment if capture and capture.environment.python else None
        packages = packages_for(record, environment, code, wishes, folder)
        changes = [] if code.original else _code_changes(capture, code, wishes.repository)
        yield Surroundings(code, packages, folder, [*changes, *packages.changes], moved)


@contextmanager
def _code(
    record: Record, capture: Capture | None, wishes: Wishes, target: Path, tree: Path | None
) -> Iterator[CodePlace]:
    if wishes.code != RECORDED:
        yield current_code(record, wishes.repository, capture.code.folder if _has_code(capture) and capture else "")
        return
    if capture is None or not _has_code(capture):
        raise ProvenanceError(
            f"no code of {record.sweep!r} is on record: it was run by a version that did not keep it, or with "
            f"capture: {{code: false}}; --code current replays with the code that lies there now{_or_commit(record)}"
        )
    paths = capture.environment.paths
    if tree is not None:
        yield copied_code(capture.code, paths, tree, target)
        return
    with recorded_code(capture.code, paths, target, wishes.repository) as code:
        yield code


def _or_commit(record: Record) -> str:
    if not record.commit:
        return ""
    commit = record.commit[:10]
    return f", or with commit {commit}: git worktree add DIR {commit}, then --code current --repository DIR"


def _has_code(capture: Capture | None) -> bool:
    return capture is not None and capture.code.without != NOT_CAPTURED


def _code_changes(capture: Capture | None, code: CodePlace, repository: Path | None) -> Sequence[Changed]:
    """What of the code that lies here is not as it was, as far as that is known."""
    if capture is None or not _has_code(capture):
        return []
    now = captured_code(code.folder, code.started_in, _modules(capture.code, code), CodeSettings())
    return code_changes(capture.code, now, repository or Path(now.root))


def _modules(before: Code, code: CodePlace) -> Sequence[Path]:
    """The files that were captured, as they are now; without git they are all that is known of the code."""
    folder = code.folder
    top = folder.parents[len(Path(before.folder).parts) - 1] if before.folder not in ("", ".") else folder
    return [path for name in before.files if (path := top / name).is_file()]
