"""Asks git about a folder, whatever its configuration, hooks and the environment would have it do."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from hpo.errors import ProvenanceError
from hpo.masking import hide_patterns

SECONDS = 20
"""After this long git is given up."""
_KEPT = ("GIT_CONFIG", "GIT_CEILING_DIRECTORIES", "GIT_EXEC_PATH", "GIT_SSH", "GIT_ASKPASS", "GIT_SSL")
"""Variables with these beginnings stay: where configuration and programs are. Others may name another repository."""
_SAFE = (
    "-c", "core.fsmonitor=false",  # may be a program
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.quotePath=false",
    "-c", "core.sparseCheckout=false",
    "-c", "diff.suppressBlankEmpty=false",
    "-c", "submodule.recurse=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_PROGRAM = re.compile(
    r"filter\..*\.(clean|smudge|process)|submodule\..*\.update|remote\..*\.(uploadpack|vcs)|protocol\..*"
    r"|core\.(sshcommand|gitproxy|askpass)|credential\.(.*\.)?helper"
    r"|lfs\.((.*\.)?standalonetransferagent|customtransfer\..*|extension\..*)",
    re.IGNORECASE | re.DOTALL,
)
_LFS = re.compile(r"git-lfs (clean|smudge|filter-process)( --skip)?( (-- )?%f)?")
"""What `git lfs install --local` sets; it is the program that is installed."""


class GitFailed(ProvenanceError):
    """Git is not there, or said no; the message is what it said."""


def run_git(
    folder: Path | str,
    *arguments: str | bytes,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    allowed: Sequence[int] = (0,),
    seconds: float = SECONDS,
    fetches: bool = False,
) -> bytes:
    """What git writes in that folder, asking nobody; GitFailed where it ends with a code that is not `allowed`.

    Only where it `fetches` it may get what is missing from elsewhere: what a repository names as where its objects
    are, and how to reach that, may be a program.
    """
    command = ["git", "-C", str(folder), *_SAFE, *arguments]
    nowhere = {} if fetches else {"GIT_ALLOW_PROTOCOL": "none"}
    try:
        done = _run(command, stdin, {**_environment(), **nowhere, **(environment or {})}, seconds)
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git took more than {seconds:.0f} s") from error
    except FileNotFoundError as error:
        missing = "git is not installed" if Path(folder).is_dir() else f"there is no folder {folder}"
        raise GitFailed(missing) from error
    except (OSError, ValueError) as error:  # a NUL in a name
        raise GitFailed(f"git cannot be run: {error}") from error
    if done.returncode not in allowed:
        raise GitFailed(_said(done.stderr) or f"git ended with code {done.returncode}")
    return done.stdout


def _run(
    command: Sequence[str | bytes], stdin: bytes, environment: Mapping[str, str], seconds: float
) -> "subprocess.CompletedProcess[bytes]":
    """As subprocess.run, but what git started goes too when the time is up: a filter that hangs, say."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as process:
        try:
            written, said = process.communicate(stdin, timeout=seconds)
        except BaseException:
            _end(process)
            raise
        return subprocess.CompletedProcess(command, process.returncode, written, said)


def _end(process: "subprocess.Popen[bytes]") -> None:
    import psutil

    below: list[psutil.Process] = []
    with suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in below:
        with suppress(psutil.Error):
            child.kill()


def git_tags(folder: Path) -> Mapping[str, str]:
    """MLflow's tags for the code in this folder; empty without git, a repository or a commit.

    `hpo.git.dirty` says whether tracked files differ from the commit. A remote's user and password are left out.
    """
    commit = _line(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    status = _line(folder, "status", "--porcelain", "--untracked-files=no")
    branch, remote = _line(folder, "rev-parse", "--abbrev-ref", "HEAD"), _line(folder, "config", "remote.origin.url")
    return commit_tags(commit, branch, without_password(remote), dirty=bool(status))


def commit_tags(commit: str, branch: str, remote: str, *, dirty: bool) -> Mapping[str, str]:
    """A commit as the tags of a run; empty without a commit."""
    tags = {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": branch,
        "mlflow.source.git.repoURL": remote,
        "hpo.git.dirty": str(dirty).lower(),
    }
    return {name: hide_patterns(value) for name, value in tags.items() if value} if commit else {}


def programs_of(repository: Path) -> Sequence[str]:
    """The settings of a repository's own configuration by which git would run programs; GitFailed for no repository.

    Who unpacks a folder of somebody else's has such a configuration too.
    """
    listed = os.fsdecode(run_git(repository, "config", "--list", "--includes", "--show-scope", "-z")).split("\0")
    own = (entry for scope, entry in zip(listed[::2], listed[1::2], strict=False) if scope in ("local", "worktree"))
    settings = (entry.partition("\n")[::2] for entry in own)
    return sorted({name for name, value in settings if _PROGRAM.fullmatch(name) and not _LFS.fullmatch(value)})


def without_password(url: str) -> str:
    """The URL without user and password; scp-like `git@host:path` stays as it is."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _line(folder: Path, *arguments: str) -> str:
    try:
        return os.fsdecode(run_git(folder, *arguments)).strip()
    except GitFailed:
        return ""


def _said(stderr: bytes) -> str:
    """Git's complaint: its first line that says what is wrong, of those without warnings."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    for start in ("fatal: ", "error: "):
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start)
    return lines[-1] if lines else ""


def _environment() -> Mapping[str, str]:
    """The environment without what would lead git to another repository, make it talk, or let it write or ask."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
    return {**kept, **own}
