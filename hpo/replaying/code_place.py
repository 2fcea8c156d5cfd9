"""Where the code of a replay lies: rebuilt as it was, or as it is now."""

from dataclasses import dataclass
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.replaying.record import Record


@dataclass(frozen=True)
class CodePlace:
    """`folder` is that of the sweep file, `started_in` where trials run; `original` is the top of the code on record
    and `rebuilt` what stands in its place, "" both where it is the very same folder.
    """

    folder: Path
    started_in: Path
    original: str = ""
    rebuilt: str = ""


def current_code(record: Record, given: Path | None = None) -> CodePlace:
    """The code as it lies now, where the sweep was started or in a folder that was given.

    ProvenanceError where that is not there.
    """
    folder = given or Path(record.folder)
    if not record.folder and given is None:
        folder = Path.cwd()
    if not folder.is_dir():
        raise ProvenanceError(
            f"sweep {record.sweep!r} was run from {folder}, which is not here; name the folder where its code lies "
            "now: --code current --repository DIR"
        )
    started_in = Path(record.started_in) if record.started_in and given is None else folder
    return CodePlace(folder.absolute(), started_in.absolute() if started_in.is_dir() else folder.absolute())
