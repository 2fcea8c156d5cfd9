"""The environments of the peers: each in `.tools/bench/<name>`, so that none decides which versions another gets.

Libraries that do the same work on all sides (numpy, scikit-learn, mlflow ..) get the versions of the project's own
environment, so that a ratio tells of the peers and not of them.
"""

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".tools" / "bench"
PEERS: Mapping[str, tuple[str, ...]] = {
    "optuna": ("optuna", "optuna-integration", "mlflow", "scikit-learn", "pandas", "psycopg[binary]"),
    "hyperopt": ("hyperopt", "mlflow", "scikit-learn", "pandas", "setuptools", "psycopg[binary]"),
    "ray": ("ray[tune]", "mlflow"),
    "wandb": ("wandb", "sweeps"),
}
SHARED = ("numpy", "scipy", "pandas", "scikit-learn", "joblib", "mlflow", "sqlalchemy", "pyarrow")
SHOWN = ("optuna", "hyperopt", "ray", "wandb", "sweeps", "mlflow", "scikit-learn", "joblib", "numpy", "sqlalchemy")


def python_of(peer: str) -> Path:
    """The interpreter of a peer; ours is the one that runs this."""
    return Path(sys.executable) if peer == "ours" else ENVIRONMENTS / peer / "bin" / "python"


def install(peer: str) -> None:
    """Makes a peer's environment, unless it is there as wanted."""
    folder = ENVIRONMENTS / peer
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in SHARED if _installed(name)]
    wanted = hashlib.sha256("\n".join([sys.version, *PEERS[peer], *pins]).encode()).hexdigest()
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing {peer} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    constraints = folder.parent / f"{peer}.txt"
    constraints.write_text("\n".join(pins) + "\n")
    for command in _commands(folder, [*PEERS[peer], "--constraint", str(constraints)]):
        subprocess.run(command, check=True, stdout=sys.stderr)
    stamp.write_text(wanted)


def _installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _commands(folder: Path, wanted: list[str]) -> list[list[str]]:
    """With uv where it is to be had, else with venv and pip; compiled, since a start is timed, too."""
    python = str(folder / "bin" / "python")
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or next((str(at) for at in (beside, ROOT / ".tools/bin/uv") if at.exists()), None)
    if uv:
        install_all = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *wanted]
        return [[uv, "venv", "--quiet", "--python", sys.executable, str(folder)], install_all]
    return [
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted],
    ]


def versions(peer: str) -> dict[str, str]:
    """The versions that matter, in a peer's environment."""
    code = f"""
import importlib.metadata as m
for name in {SHOWN!r}:
    try:
        print(name, m.version(name))
    except m.PackageNotFoundError:
        pass
"""
    said = subprocess.run([python_of(peer), "-c", code], check=True, capture_output=True, text=True).stdout
    return dict(line.split() for line in said.splitlines())
