"""Takes the pictures of the live page that docs/ shows, from made-up sweeps and a real one.

Usage: python scripts/pictures.py [FOLDER]
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from page_browser import browser
from PIL import Image
from playwright.sync_api import Browser, Page
from seeded_store import seed_sweep

from trackers.opening import open_store

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"
TOKEN = "the-token-of-those-who-take-pictures"  # noqa: S105  # of a server that lives for some seconds
LARGEST = 150_000
"""Bytes of one picture."""


@dataclass(frozen=True)
class View:
    """One picture: an address of the page, and what is to be seen of it; `tab` is opened and scrolled to."""

    name: str
    path: str
    width: int = 1280
    height: int = 860
    is_dark: bool = False
    tab: str = ""


VIEWS = (
    View("sweeps", "/", height=420),
    View("sweep", "/sweeps/digits", height=1020),
    View("sweep-dark", "/sweeps/digits?p.learning_rate=0.0005..0.01", height=1000, is_dark=True),
    View("sweep-narrow", "/sweeps/digits", width=390, height=844),
    View("curves", "/sweeps/digits", tab="Learning curves"),
    View("timeline", "/sweeps/digits", tab="Timeline"),
    View("contour", "/sweeps/digits", tab="Contour"),
    View("distribution", "/sweeps/digits", tab="Distribution"),
    View("front", "/sweeps/trade-off", tab="Pareto front"),
    View("winner", "/sweeps/breast-cancer", tab="Winner"),
    View("trial", "/sweeps/digits/trials/{failed}", height=1000),
    View("compare", "/compare?s=digits&s=digits-random", height=960),
    View("model", "/models/breast-cancer", height=620),
)


def main(folder: Path) -> int:
    """Writes one PNG a view; the exit code for the shell."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        failed = _sweeps(Path(place))
        with _server(Path(place)) as address:
            for view in VIEWS:
                _take(chromium, address, view, folder / f"{view.name}.png", failed=failed)
    return 0


def _sweeps(place: Path) -> int:
    """Fills a store in this folder; the number of a trial that failed."""
    with contextlib.chdir(place), open_store("sqlite:///mlflow.db") as store:
        parent = seed_sweep(store, "digits", 240, seed=3, curves=True)
        seed_sweep(store, "digits-random", 240, seed=4, sampler="random")
        seed_sweep(store, "trade-off", 240, seed=5, several=True)
        heads = store.watching.heads(parent)
    demo = Path(shutil.copy(ROOT / "configs" / "breast-cancer.yaml", place)).name
    subprocess.run([_hpo(), "run", demo, "-n", "24", "--tracker", "sqlite:///mlflow.db", "-q"], cwd=place, check=True)
    return next(head.number for head in heads if head.state == "FAILED" and head.number)


def _hpo() -> Path:
    return Path(sys.executable).with_name("hpo")


@contextlib.contextmanager
def _server(place: Path) -> Iterator[str]:
    command = [str(_hpo()), "ui", "--port", "0", "--tracker", "sqlite:///mlflow.db"]
    environment = {**os.environ, "HPO_UI_TOKEN": TOKEN}
    with subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\d.:]+", said)
            if found is None:
                raise RuntimeError(f"hpo ui said {said!r}")
            yield found.group(0)
        finally:
            process.terminate()


def _take(chromium: Browser, address: str, view: View, file: Path, *, failed: int) -> None:
    context = chromium.new_context(
        viewport={"width": view.width, "height": view.height},
        color_scheme="dark" if view.is_dark else "light",
    )
    page = context.new_page()
    page.goto(f"{address}/login?token={TOKEN}")
    page.goto(address + view.path.format(failed=failed))
    page.wait_for_selector("main:not([aria-busy])")
    if view.tab:
        _open_tab(page, view.tab)
    if page.locator(".panel-importance").count():
        page.wait_for_selector(".panel-importance .bars, .panel-importance .empty")
    page.wait_for_timeout(1000)  # what is drawn in slices of time is whole by then
    _write(page.screenshot(), file)
    context.close()


def _open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.locator(".tabs").evaluate("tabs => scrollTo(0, tabs.getBoundingClientRect().top + scrollY - 60)")


def _write(picture: bytes, file: Path) -> None:
    """As a PNG of 128 colours: a third of the size, and nobody sees the difference."""
    with Image.open(io.BytesIO(picture)) as opened:
        opened.convert("RGB").quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            file, optimize=True
        )
    written = file.stat().st_size
    print(f"{file.name}: {written / 1000:.0f} kB")
    if written > LARGEST:
        raise RuntimeError(f"{file.name} has {written} bytes, more than {LARGEST}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
