"""What makes a fresh Python environment and fills it: uv, or venv with pip."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

UNWANTED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
"""Variables of the running environment that would lead an installer, or the new Python, back into it."""


class CannotInstall(Exception):
    """The tool gave up; the text is what it said."""


@dataclass(frozen=True)
class Supply:
    """Where packages come from besides what uv or pip is set up to use; `offline` asks no index at all."""

    indexes: Sequence[str] = ()
    find_links: Sequence[str] = ()
    offline: bool = False


class Installer(Protocol):
    """Makes an environment in a folder, and fills it with what a requirements file lists."""

    def make(self, target: Path, python: str) -> None:
        """A fresh environment of the Python that `python` names: a path or a version; CannotInstall without one."""

    def install(self, python: Path, requirements: Path, supply: Supply) -> None:
        """Exactly what is listed, no dependencies; CannotInstall where something of it cannot be had."""

    def remove(self, python: Path, wanted: Container[str]) -> None:
        """Takes out what `make` put into the environment and is not wanted there."""


@dataclass(frozen=True)
class Uv:
    """uv (docs.astral.sh/uv): finds or fetches other versions of Python, and takes packages from its cache."""

    program: str

    def make(self, target: Path, python: str) -> None:
        """Finds the Python on this machine or fetches it."""
        _run([self.program, "venv", "--quiet", "--no-project", "--python", python, str(target)])

    def install(self, python: Path, requirements: Path, supply: Supply) -> None:
        """Looks for each pin in all indexes, as pip does: the first index that has a name need not have its version."""
        strategy = ["--index-strategy", "unsafe-best-match"] if supply.indexes else []
        offline = ["--offline"] if supply.offline else []
        command = [self.program, "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
        _run([*command, *strategy, *offline, *_options(supply), "-r", str(requirements)])

    def remove(self, python: Path, wanted: Container[str]) -> None:
        """Nothing: its environments are empty."""


@dataclass(frozen=True)
class Pip:
    """venv and pip of the Python that is running, where there is no uv."""

    def make(self, target: Path, python: str) -> None:
        """An environment of `python`, which must be a program."""
        _run([python, "-m", "venv", str(target)])

    def install(self, python: Path, requirements: Path, supply: Supply) -> None:
        """By the pip inside."""
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
        _run([*command, *_options(supply), "-r", str(requirements)])

    def remove(self, python: Path, wanted: Container[str]) -> None:
        """What `ensurepip` puts there, pip itself last."""
        names = [name for name in ("setuptools", "pip") if name not in wanted]
        if names:
            _run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "--disable-pip-version-check", *names])


def find_uv() -> str | None:
    """The program uv: on PATH, or of the package of that name; None without either, or where that has no program."""
    found = shutil.which("uv")
    if found or importlib.util.find_spec("uv") is None:
        return found
    from uv import find_uv_bin  # type: ignore[import-not-found,unused-ignore]  # pip install uv

    try:
        return str(find_uv_bin())
    except FileNotFoundError:  # copied or linked without it
        return None


def clean_environment() -> dict[str, str]:
    """The variables of this process without those that lead back into its environment."""
    return {name: value for name, value in os.environ.items() if name not in UNWANTED}


def _options(supply: Supply) -> Sequence[str]:
    indexes = [part for index in supply.indexes for part in ("--extra-index-url", index)]
    folders = [part for folder in supply.find_links for part in ("--find-links", folder)]
    return [*(["--no-index"] if supply.offline else indexes), *folders]


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CannotInstall(str(error)) from error
    if done.returncode != 0:
        raise CannotInstall((done.stderr or done.stdout).strip())


_: tuple[type[Installer], ...] = (Uv, Pip)
