"""What `hpo doctor` looks at: the installation, the store, the places it writes to."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OLDEST_PYTHON = (3, 11)
PACKAGES = ("tracked-hpo", "optuna", "hyperopt", "scikit-learn", "joblib", "sqlalchemy", "pandas", "skops")
EXTRAS = {
    "mlflow": "mlflow",
    "postgres": "psycopg",
    "cloud": "obstore",
    "gcsfs": "gcsfs",
    "dask": "distributed",
    "ray": "ray",
    "gpu": "pynvml",
    "gp": "torch",
    "plots": "matplotlib",
    "prefect": "prefect",
}
"""Each extra and the module that is there when it is installed."""
LITTLE_SPACE, NO_SPACE = 1 << 30, 100 << 20


@dataclass(frozen=True)
class Finding:
    """One line of the check-up: `state` is ok, warn or fail; `remedy` what to do unless ok."""

    check: str
    state: str
    detail: str
    remedy: str = ""


def installation() -> list[Finding]:
    """Python, the packages every sweep needs, the optional ones, git, and what worker processes need."""
    return [_python(), *map(_package, PACKAGES), _extras(), _git(), _locks()]


def folder(check: str, path: Path) -> list[Finding]:
    """Whether a folder that is written to can be, is closed to strangers, and has room."""
    existing = next(parent for parent in [path.absolute(), *path.absolute().parents] if parent.exists())
    findings = []
    if not existing.is_dir():
        findings.append(Finding(check, "fail", f"{existing} is not a folder", "move it away, or name another place"))
        return findings
    if os.access(existing, os.W_OK | os.X_OK):
        missing = "" if existing == path.absolute() else " (made when needed)"
        findings.append(Finding(check, "ok", f"{path.absolute()}{missing}"))
    else:
        remedy = f"give yourself the right to write: chmod u+wx {existing}, or name another place"
        findings.append(Finding(check, "fail", f"{existing} cannot be written to", remedy))
    mode = existing.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        findings.append(Finding(check, "warn", f"everybody may write to {existing}", f"chmod o-w {existing}"))
    return [*findings, _space(check, existing)]


def _python() -> Finding:
    current = sys.version.split()[0]
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", "ok", f"{current} ({sys.executable})")
    return Finding("python", "fail", current, "install Python 3.11 or newer")


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "fail", "not installed", "pip install --force-reinstall tracked-hpo")


def _extras() -> Finding:
    present = [extra for extra, module in EXTRAS.items() if importlib.util.find_spec(module)]
    absent = [extra for extra in EXTRAS if extra not in present]
    hint = f"; not installed: {', '.join(absent)} (pip install 'tracked-hpo[NAME]')" if absent else ""
    return Finding("extras", "ok", f"installed: {', '.join(present) or 'none'}{hint}")


def _git() -> Finding:
    remedy = "install git, so that runs name the commit they ran from"
    if shutil.which("git") is None:
        return Finding("git", "warn", "not found", remedy)
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("git", "warn", f"does not run: {error}", remedy)
    return Finding("git", "ok", done.stdout.strip().removeprefix("git version "))


def _locks() -> Finding:
    import multiprocessing

    cores = os.cpu_count() or 1
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:  # a container without /dev/shm
        remedy = "mount /dev/shm, or run with: -S parallel.backend=threading"
        return Finding("workers", "fail", f"worker processes cannot be started: {error}", remedy)
    return Finding("workers", "ok", f"{cores} processor{'s' if cores > 1 else ''}")


def _space(check: str, path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    shown = f"{free / (1 << 30):.1f} GiB free below {path}"
    if free >= LITTLE_SPACE:
        return Finding(f"{check} space", "ok", shown)
    return Finding(f"{check} space", "fail" if free < NO_SPACE else "warn", shown, "free some space")


def all_ok(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed; warnings do not count."""
    return all(finding.state != "fail" for finding in findings)
