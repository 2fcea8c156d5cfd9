"""Asks git about a folder, whatever its configuration, hooks and the environment would have it do."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from hpo.errors import ProvenanceError

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


class GitFailed(ProvenanceError):
    """Git is not there, or said no; the message is what it said."""


def run_git(
    folder: Path | str,
    *arguments: str | bytes,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    allowed: Sequence[int] = (0,),
    seconds: float = SECONDS,
) -> bytes:
    """What git writes in that folder, asking nobody; GitFailed where it ends with a code that is not `allowed`."""
    command = ["git", "-C", str(folder), *_SAFE, *arguments]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**_environment(), **(environment or {})},
        )
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git took more than {seconds:.0f} s") from error
    except FileNotFoundError as error:
        missing = "git is not installed" if Path(folder).is_dir() else f"there is no folder {folder}"
        raise GitFailed(missing) from error
    except OSError as error:
        raise GitFailed(f"git cannot be run: {error}") from error
    if done.returncode not in allowed:
        raise GitFailed(_said(done.stderr) or f"git ended with code {done.returncode}")
    return done.stdout


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
    return {name: value for name, value in tags.items() if value} if commit else {}


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
