"""Rebuilds captured code: a working tree at its commit, with its patch and its files, that is removed again."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from hpo.errors import ProvenanceError
from hpo.provenance.code import Code
from hpo.provenance.code_record import is_inside
from hpo.provenance.git import GitFailed, programs_of, run_git
from hpo.provenance.repository import submodules_of

APPLY = ("-c", "apply.ignoreWhitespace=no", "apply", "--cached", "--whitespace=nowarn", "-")
"""The command that applies a patch to git's index: to the very content it was made from, whatever filters there are."""
_FETCHING = 600.0
"""Seconds that a submodule may take to come from elsewhere."""


@contextmanager
def rebuilt(code: Code, target: Path, repository: Path | None = None) -> Iterator[Path]:
    """The code at `target`, which must not exist yet, for as long as this is open; gives the sweep's folder in it.

    The commit is taken from `repository`, else from where it was captured; no hook is run, nothing there is changed,
    and several may do this at once. ProvenanceError, with the way out, where something cannot be had.
    """
    if target.exists():
        raise ProvenanceError(f"the code is not rebuilt at {target}: it is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    home = repository_of(code, repository) if code.commit else None
    try:
        if home is None:
            target.mkdir()
        else:
            _check_out(code, target, home)
        yield _write_rest(code, target)
    finally:
        if home is not None:
            _forget(target, home)
        shutil.rmtree(target, ignore_errors=True)


def _write_rest(code: Code, target: Path) -> Path:
    """The captured files, and the sweep's folder, which is given."""
    try:
        for path, content in code.files.items():
            write_file(target, path, content, executable=path in code.executable)
        folder = target if Path(code.folder).is_absolute() else target / code.folder
        if not folder.resolve().is_relative_to(target.resolve()):
            raise ProvenanceError(f"the captured code has its sweep file in {code.folder!r}, which leads out of it")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # a name that is too long or holds NUL, a file where a folder has to be
        raise ProvenanceError(f"the captured code cannot be written: {error}") from error
    return folder


def require_no_programs(repository: Path) -> None:
    """ProvenanceError for a repository that only a record names, and that is set up to run programs."""
    try:
        found = programs_of(repository)
    except GitFailed:
        return  # no repository, so nothing is taken from it
    if found:
        raise ProvenanceError(
            f"the repository {repository}, which the record names, would run programs by its own configuration: "
            f"{', '.join(found[:5])}; if it is yours, say so: --repository {repository}"
        )


def repository_of(code: Code, given: Path | None = None) -> Path:
    """The repository that has the commit: the given one, else the one it was captured in; ProvenanceError else."""
    place = given or Path(code.root)
    short = code.commit[:10]
    is_place = code.remote and not code.remote.startswith("-")
    clone = f"git clone {shlex.quote(code.remote)}" if is_place else "clone its repository"
    try:
        run_git(place, "rev-parse", "--git-dir")
    except GitFailed as error:
        raise ProvenanceError(
            f"the code is commit {short}, and there is no repository at {place} ({error}): {clone}, and name the clone "
            "with --repository DIR"
        ) from error
    try:
        run_git(place, "cat-file", "-e", f"{code.commit}^{{commit}}", fetches=True)
    except GitFailed as error:
        fetch = "git fetch --unshallow" if _is_shallow(place) else "git fetch --all"
        raise ProvenanceError(
            f"the code is commit {short}, which is not in the repository at {place}: fetch it there (git -C {place} "
            f"{fetch.removeprefix('git ')}), or name a clone that has it with --repository DIR"
        ) from error
    return place


def write_file(root: Path, path: str, content: bytes, *, executable: bool) -> None:
    """Writes a file below the root; ProvenanceError for a path that leads out of it, or into git's own folder."""
    parts = PurePosixPath(path).parts
    if not is_inside(path):
        raise ProvenanceError(f"the captured code names a file {path!r}, which does not lie inside of it")
    place = root
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise ProvenanceError(f"the captured file {path!r} lies behind the link {place.relative_to(root)}")
        place.mkdir(exist_ok=True)
    place = place / parts[-1]
    if place.is_symlink():
        place.unlink()
    place.write_bytes(content)
    if executable:
        place.chmod(place.stat().st_mode | 0o111)


def _check_out(code: Code, target: Path, home: Path) -> None:
    try:
        run_git(home, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(target.absolute()), code.commit)
        run_git(target, "read-tree", "HEAD", fetches=True)
    except GitFailed as error:
        raise ProvenanceError(f"commit {code.commit[:10]} cannot be checked out from {home}: {error}") from error
    try:
        if code.patch:
            run_git(target, *APPLY, stdin=code.patch, fetches=True)
    except GitFailed as error:
        raise ProvenanceError(
            f"the captured changes do not apply to commit {code.commit[:10]}, the record may be damaged: {error}"
        ) from error
    for path, commit in code.submodules.items():
        with suppress(GitFailed):  # not in this commit: then it is not asked for below either
            run_git(target, "update-index", "--cacheinfo", f"160000,{commit},{path}")
    try:
        every = ("--all", "--force", "--index", "--quiet")
        run_git(target, "checkout-index", *every, seconds=_FETCHING, fetches=True)
    except GitFailed as error:
        raise ProvenanceError(f"the files of commit {code.commit[:10]} cannot be written: {error}") from error
    _add_submodules(code.submodules, target, home)


def _add_submodules(submodules: Mapping[str, str], target: Path, home: Path) -> None:
    for path, commit in submodules.items():
        try:
            _add_submodule(path, commit, target, home)
        except GitFailed as error:
            raise ProvenanceError(
                f"the submodule {path} at commit {commit[:10]} cannot be had ({error}): get it with "
                f"git -C {home} submodule update --init {path}, and git fetch in it"
            ) from error


def _add_submodule(path: str, commit: str, target: Path, home: Path) -> None:
    """From the submodule as it is checked out in the repository, else from where it comes from."""
    if not _has(home / path, commit):
        # --checkout: what the configuration says instead may be a program
        update = ("submodule", "--quiet", "update", "--init", "--checkout", "--", path)
        run_git(target, *update, seconds=_FETCHING, fetches=True)
        return
    source = str((home / path).absolute())
    run_git(target, "clone", "--quiet", "--shared", "--no-checkout", "--template=", "--", source, path, fetches=True)
    run_git(target / path, "checkout", "--quiet", "--detach", commit, fetches=True)
    _add_submodules(submodules_of(home / path, target / path), target / path, home / path)


def _has(folder: Path, commit: str) -> bool:
    if not (folder / ".git").exists():
        return False
    with suppress(GitFailed):
        run_git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
        return True
    return False


def _is_shallow(repository: Path) -> bool:
    with suppress(GitFailed):
        return run_git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"
    return False


def _forget(target: Path, home: Path) -> None:
    """Removes the working tree from the repository's list; others are left alone, which may just be made."""
    with suppress(GitFailed):
        admin = Path(os.fsdecode(run_git(target, "rev-parse", "--absolute-git-dir").removesuffix(b"\n")))
        try:
            run_git(home, "worktree", "remove", "--force", "--force", str(target.absolute()))
        except GitFailed:  # with a submodule in it, say, git does not
            if _is_of(admin, target):
                shutil.rmtree(admin, ignore_errors=True)


def _is_of(admin: Path, target: Path) -> bool:
    """Whether this is what git keeps of just that working tree (git-scm.com/docs/gitrepository-layout)."""
    with suppress(OSError):
        return Path(os.fsdecode((admin / "gitdir").read_bytes()).strip()).parent.samefile(target)
    return False
