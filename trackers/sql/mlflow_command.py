"""Runs the installed MLflow's own `mlflow db upgrade` in a process of its own: this package never imports MLflow."""

import os
import re
import subprocess
import sys

from trackers.errors import UpgradeFailed
from trackers.sql import mlflow_revisions

_VARIABLE = "HPO_UPGRADE_URI"
# by the environment, for the words of a command can be read by every user of the machine
_CODE = f"""
import os, runpy, sys
sys.argv = ["mlflow", "db", "upgrade", os.environ.pop({_VARIABLE!r})]
runpy.run_module("mlflow", run_name="__main__", alter_sys=True)
"""
_EXCEPTION = re.compile(r"[\w.]+(Error|Exception)\b")


def check_can_upgrade(revision: str, shown: str) -> None:
    """UpgradeFailed, saying what to install, where the MLflow that is here cannot upgrade from a revision."""
    if not mlflow_revisions.is_installed():
        raise UpgradeFailed(
            f"{shown} is MLflow's to upgrade, and MLflow is not installed here: pip install 'tracked-hpo[mlflow]'"
        )
    if not mlflow_revisions.is_known(revision):
        raise UpgradeFailed(
            f"{shown} is at revision {revision}, which the MLflow installed here does not know: a newer one made it; "
            "nothing is to be done, or: pip install --upgrade mlflow"
        )


def upgrade_by_mlflow(uri: str) -> None:
    """Upgrades the database at a URI; UpgradeFailed with MLflow's last words where that fails."""
    environment = {
        **os.environ,
        _VARIABLE: uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONWARNINGS": "ignore",
    }
    # it must find the MLflow we have, not a folder `mlflow` beside the database
    command = [sys.executable, "-P", "-c", _CODE]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UpgradeFailed(f"mlflow db upgrade ended with exit {done.returncode}: {_cause(done.stderr)}")


def _cause(said: str) -> str:
    """The line of the exception, which SQLAlchemy follows by the whole statement; else the last line."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    causes = [line for line in lines if _EXCEPTION.match(line)]
    return (causes or lines or ["it says nothing"])[-1]
