"""Where the code of a replay lies: rebuilt as it was, or as it is now."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from hpo.errors import ProvenanceError
from hpo.provenance.code import Code
from hpo.provenance.code_tree import rebuilt, repository_of
from hpo.replaying.record import Record


@dataclass(frozen=True)
class CodePlace:
    """`folder` is that of the sweep file, `started_in` where trials run; `original` is the top of the code on record
    and `top` what stands in its place, "" both where it is the very same folder.

    `more` are further folders in which Python looks for modules.
    """

    folder: Path
    started_in: Path
    original: str = ""
    top: str = ""
    more: Sequence[Path] = ()

    def counterpart(self, recorded: str) -> Path | None:
        """What stands here for a path below the top of the code on record; None for one that is not below it."""
        if not self.original or not PurePath(recorded).is_relative_to(self.original):
            return None
        return Path(self.top) / PurePath(recorded).relative_to(self.original)


@contextmanager
def recorded_code(code: Code, paths: Sequence[str], target: Path, repository: Path | None) -> Iterator[CodePlace]:
    """The code as it was, in the new folder `target`; `paths` are where Python found modules then.

    ProvenanceError where it cannot be had.
    """
    with rebuilt(code, target, _repository(code, repository)):
        yield _place(code, paths, target)


def copied_code(code: Code, paths: Sequence[str], tree: Path, target: Path) -> CodePlace:
    """The same, of code that lies in a folder already; trials may write into the copy."""
    shutil.copytree(tree, target, symlinks=True)
    return _place(code, paths, target)


def _place(code: Code, paths: Sequence[str], top: Path) -> CodePlace:
    folder, started_in = (_inside(top, path) for path in (code.folder, code.started_in))
    place = CodePlace(folder or top, started_in or folder or top, code.root, str(top))
    more = [there for path in paths if (there := place.counterpart(path)) is not None and there.is_dir()]
    return replace(place, more=more)


def _inside(top: Path, path: str) -> Path | None:
    return top / path if not Path(path).is_absolute() and (top / path).is_dir() else None


def _repository(code: Code, given: Path | None) -> Path | None:
    """Where the code's history is: as given, else where it was captured, else around the current folder."""
    if given is not None or not code.commit:
        return given
    try:
        return repository_of(code)
    except ProvenanceError:
        with suppress(ProvenanceError):
            return repository_of(code, Path.cwd())
        raise


def current_code(record: Record, given: Path | None = None, inside: str = "") -> CodePlace:
    """The code as it lies now, where the sweep was started or in a folder that was given.

    `inside` is the folder of the sweep file in the code on record. ProvenanceError where that is not there.
    """
    folder = (_inside(given, inside) or given) if given else Path(record.folder or Path.cwd())
    if not folder.is_dir():
        raise ProvenanceError(
            f"sweep {record.sweep!r} was run from {folder}, which is not here; name the folder where its code lies "
            "now: --code current --repository DIR"
        )
    started_in = given or Path(record.started_in or folder)
    return CodePlace(folder.absolute(), (started_in if started_in.is_dir() else folder).absolute())
