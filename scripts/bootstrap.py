"""Make `.venv` with everything the project needs, from a fresh clone, with nothing but Python 3.11+ and pip.

Standard library only. Takes uv from PATH, else from `.tools` (put there by pip, pinned), else does without uv.
Usage: python3 scripts/bootstrap.py [GROUP ...] with groups of pyproject.toml, such as test or dev.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
UV = "uv==0.13.8"  # any recent uv reads the lock file; this one is taken when there is none on PATH
OLDEST = (3, 11)


def main(groups: list[str]) -> int:
    """Install the project, editable, with these dependency groups; the exit code for the shell."""
    if sys.version_info < OLDEST:
        print(
            f"bootstrap: Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}; "
            "try: make PYTHON=python3.11",
            file=sys.stderr,
        )
        return 2
    uv = find_uv()
    try:
        if uv:
            sync_with_uv(uv, groups)
        else:
            print("bootstrap: uv is not to be had, using pip alone (slower, versions not locked)", file=sys.stderr)
            install_with_pip(groups)
    except subprocess.CalledProcessError as error:
        print(
            f"bootstrap: {' '.join(map(str, error.cmd))} ended with exit {error.returncode}; its message stands above. "
            "Once the cause is gone, run make again: it goes on where it stopped",
            file=sys.stderr,
        )
        return 1
    return 0


def find_uv() -> list[str] | None:
    """The command that starts uv, installed into `.tools` if need be; None where pip cannot get it."""
    on_path = shutil.which("uv")
    if on_path:
        return [on_path]
    installed = TOOLS / "bin" / "uv"
    if not installed.exists():
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]
        if subprocess.run([*pip, "--target", str(TOOLS), UV], check=False).returncode:
            return None
    return [str(installed)] if installed.exists() else None


def sync_with_uv(uv: list[str], groups: list[str]) -> None:
    """Exactly the versions of uv.lock."""
    chosen = [word for group in groups for word in ("--group", group)]
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(VENV)}
    environment.pop("VIRTUAL_ENV", None)  # an active environment of the user's is not ours to change
    command = [*uv, "sync", "--frozen", "--quiet", "--inexact", "--python", sys.executable, *chosen]
    # tests start hundreds of processes; where Python may not keep what it compiles, a first trial takes 5 s
    if groups or os.environ.get("PYTHONDONTWRITEBYTECODE"):
        command.append("--compile-bytecode")
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def install_with_pip(groups: list[str]) -> None:
    """The newest versions that pyproject.toml allows."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    wanted = [requirement for group in groups for requirement in expand(declared, group)]
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--editable", str(ROOT), *wanted], check=True)


def expand(declared: dict[str, list[str | dict[str, str]]], group: str) -> list[str]:
    """The requirements of a group, with the groups it includes (PEP 735)."""
    requirements: list[str] = []
    for entry in declared[group]:
        requirements += [entry] if isinstance(entry, str) else expand(declared, entry["include-group"])
    return requirements


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
