"""Makes a recorded environment again: the same Python and the same packages, in a folder of their own."""

import fcntl
import hashlib
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.masking import hide_patterns
from hpo.provenance.distributions import EDITABLE
from hpo.provenance.environment import Environment
from hpo.provenance.fresh_python import make_python
from hpo.provenance.installers import CannotInstall, Installer, Pip, Supply, Uv, clean_environment
from hpo.provenance.lock import OWN, is_editable, local_builds, local_projects, pins

log = logging.getLogger(__name__)
COMPLETE = "hpo-lock.sha256"
"""The file that is written last: it says of which lock the environment was made."""

PACKAGES = Path(__file__).resolve().parents[2]
"""The folder that holds this package, wherever it is installed."""


def make_locked_environment(
    environment: Environment, requirements: str, target: Path, *, uv: str | None,
    supply: Supply = Supply(), projects: Mapping[str, Path] | None = None,  # noqa: B008  # frozen
) -> Path:  # fmt: skip
    """The Python of an environment in `target` with exactly the packages that `requirements` pins.

    `uv` is the program, None for venv with pip. Projects that were installed from a folder are installed from
    `projects`, which says by name where they lie now, else from that folder. This package itself is not installed: the
    hpo that is running is linked into the environment, so that it can be talked to. An environment that stands in
    `target` complete, made of the same lock, is used as it is; several processes may ask for one at once.

    Raises ProvenanceError, and leaves no folder, where Python or a package cannot be had.
    """
    lines = _lines(environment, requirements, projects or {})
    digest = _digest(environment, lines)
    with _alone(target):
        if not _is_complete(target, digest):
            log.info("making the recorded environment: Python %s, %d packages", environment.python, len(lines))
            _make_or_leave_nothing(target, environment, lines, Uv(uv) if uv else Pip(), supply)
            (target / COMPLETE).write_text(digest)
    return _python_in(target)


def folder_name(environment: Environment, requirements: str, projects: Mapping[str, Path] | None = None) -> str:
    """A name for the folder in a cache: two environments that are not the same never get the same one.

    So an environment that trials run in is not made anew below them by another replay, or another hpo.
    """
    return f"environment-{_digest(environment, _lines(environment, requirements, projects or {}))[:16]}"


def _lines(environment: Environment, requirements: str, projects: Mapping[str, Path]) -> Mapping[str, str]:
    """All that is to be installed, by name, as a requirements file says it."""
    lines = {name: line for name, line in pins(requirements).items() if name != OWN}
    for name, recorded in local_projects(environment).items():
        folder = projects.get(name, recorded).absolute()
        if name in lines:  # somebody edited the file
            continue
        if not folder.is_dir():
            raise ProvenanceError(
                f"the recorded environment cannot be made: {name} {environment.packages.get(name, '')} was installed "
                f"from the folder {folder}, which is not here; put it there, or replay with --env current"
            )
        lines[name] = f"{EDITABLE if is_editable(environment, name) else ''}{folder.as_uri()}"
    return lines


def _digest(environment: Environment, lines: Mapping[str, str]) -> str:
    facts = [environment.implementation, environment.python, sorted(lines.items()), str(PACKAGES), sys.executable]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """No other process makes or looks at this environment meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file gives it up
        yield


def _is_complete(target: Path, digest: str) -> bool:
    try:
        return (target / COMPLETE).read_text() == digest and _python_in(target).exists()
    except OSError:
        return False


def _python_in(target: Path) -> Path:
    return target.absolute() / "bin" / "python"


def _make_or_leave_nothing(
    target: Path, environment: Environment, lines: Mapping[str, str], installer: Installer, supply: Supply
) -> None:
    shutil.rmtree(target, ignore_errors=True)
    try:
        make_python(target, environment, installer)
        _fill(target, lines, installer, supply)
        _link_this_package(target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _fill(target: Path, lines: Mapping[str, str], installer: Installer, supply: Supply) -> None:
    file = target / "requirements.txt"
    file.write_text("\n".join(lines.values()) + "\n")
    try:
        if lines:
            installer.install(_python_in(target), file, supply)
        installer.remove(_python_in(target), lines)
    except CannotInstall as error:
        raise ProvenanceError(_what_is_missing(str(error), lines)) from error


def _what_is_missing(said: str, lines: Mapping[str, str]) -> str:
    """The failure of an installer: the packages that it names, what helps, and what it said."""
    named = [line for line in lines.values() if line in said] or [
        line for name, line in lines.items() if _in(said, name)
    ]
    build = (
        " (it is a build of its own, as those of https://download.pytorch.org/whl are)" if local_builds(named) else ""
    )
    return (
        f"the recorded environment cannot be made: {', '.join(named[:5]) or 'a package'} cannot be had{build}; name an "
        "index that has it by --index URL or a folder of wheels by --find-links DIR, or replay with --env current\n"
        f"{hide_patterns(said)}"
    )


def _in(said: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){name.replace('-', '[-_.]')}(?![\w-])", said, re.IGNORECASE) is not None


def _link_this_package(target: Path) -> None:
    """Links the running hpo into an environment, and what is known of it as a distribution."""
    asked = [str(_python_in(target)), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    done = subprocess.run(asked, env=clean_environment(), capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    found = (path for entry in sys.path for path in Path(entry or ".").glob(f"{OWN.replace('-', '_')}-*.dist-info"))
    for path in (PACKAGES / "hpo", PACKAGES / "trackers", *list(found)[:1]):
        (folder / path.name).symlink_to(path.absolute())
