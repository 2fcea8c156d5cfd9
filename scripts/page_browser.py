"""A real Chromium to look at the page with: named by $HPO_TEST_CHROMIUM, on PATH, or taken by npm into `.tools`."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

TOOLS = Path(__file__).resolve().parent.parent / ".tools"
CHROMIUM = "@sparticuz/chromium@147.0.0"
AXE = "axe-core@4.14.1"
ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_UNPACK = "import('@sparticuz/chromium').then(async (found) => console.log(await found.default.executablePath()))"


class NoBrowser(Exception):
    """There is no browser to be had; the text says why."""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window; NoBrowser where none can be had, or none starts."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=executable, args=[*FLAGS])
        except Error as error:
            raise NoBrowser(f"{executable} does not start: {error.message.splitlines()[0]}") from error
        try:
            yield started
        finally:
            started.close()


def find_chromium() -> str:
    """Where a Chromium is; NoBrowser where there is none and npm cannot get one."""
    named = os.environ.get("HPO_TEST_CHROMIUM")
    if named:
        return named
    for name in ON_PATH:
        if found := shutil.which(name):
            return found
    install(CHROMIUM)
    folder = TOOLS / "chromium"
    with _alone():  # a program that is still being written cannot be started
        if not folder.exists():
            _unpack(folder)
    return str(folder / "chromium")


def _unpack(folder: Path) -> None:
    """Puts the browser of the installed package into a folder, which is there whole or not at all."""
    part = folder.with_name("chromium.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    environment = {**os.environ, "TMPDIR": str(part)}
    command = ["node", "-e", _UNPACK]
    done = subprocess.run(command, cwd=TOOLS, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not (part / "chromium").exists():
        raise NoBrowser(f"{CHROMIUM} cannot be unpacked: {done.stderr.strip()[-300:]}")
    part.rename(folder)


def axe() -> str:
    """The source of axe-core, which looks for what people with other senses cannot use; NoBrowser without it."""
    source = TOOLS / "node_modules/axe-core/axe.min.js"
    if not source.exists():
        install(AXE)
    return source.read_text(encoding="utf-8")


def install(package: str) -> None:
    """Takes a package by npm into `.tools`, if it is not there; NoBrowser where that cannot be done."""
    place = TOOLS / "node_modules" / package.rpartition("@")[0]
    if not shutil.which("npm") or not shutil.which("node"):
        raise NoBrowser(f"{package} is taken by npm, which is not on PATH")
    TOOLS.mkdir(exist_ok=True)
    with _alone():
        if place.exists():
            return
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        command = ["npm", "install", "--prefix", str(TOOLS), package, *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired as error:
            raise NoBrowser(f"npm took more than 300 s for {package}") from error
    if done.returncode or not place.exists():
        raise NoBrowser(f"npm cannot install {package}: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Whoever runs npm or unpacks here, one at a time."""
    with (TOOLS / ".azurite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
