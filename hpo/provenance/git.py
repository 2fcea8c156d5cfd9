"""Which code ran: commit, branch and remote of the git repository around a folder."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def git_tags(folder: Path) -> Mapping[str, str]:
    """MLflow's tags for the code in this folder; empty without git, a repository or a commit.

    `hpo.git.dirty` says whether tracked files differ from the commit. A remote's user and password are left out.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    tags = {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "mlflow.source.git.repoURL": without_password(_git(folder, "config", "--get", "remote.origin.url")),
        "hpo.git.dirty": str(bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))).lower(),
    }
    return {name: value for name, value in tags.items() if value}


def without_password(url: str) -> str:
    """The URL without user and password; scp-like `git@host:path` stays as it is."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
