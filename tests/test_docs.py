"""What the docs say is so: commands run, sweep files read, every verb and key is described."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.cli.main import VERBS
from hpo.config.reading import read_sweep_text

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN_ELSEWHERE = {
    "make": "an empty clone runs it, see .ci/run",
    "make test": "it is what runs this test",
    "pip install tracked-hpo": "the package under test is installed already",
    "mlflow server --backend-store-uri sqlite:///mlflow.db": "tests/interop/test_mlflow_server.py",
}


def blocks(page: Path, language: str) -> Iterator[str]:
    for found in re.finditer(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S):
        yield found.group(1)


def commands(page: Path) -> list[str]:
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


def run(command: str, folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONWARNINGS", None)
    words = shlex.split(command)
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


SLOW_PAGES = ("taxi.md",)
"""Whole pipelines, which `make test` runs on less data in tests/hpo/pipeline."""


def with_commands() -> list[object]:
    slow = {name: [pytest.mark.slow] for name in SLOW_PAGES}
    return [pytest.param(page, marks=slow.get(page.name, [])) for page in PAGES if commands(page)]


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_their_order(page: Path, tmp_path: Path) -> None:
    for name in ("configs", "scripts"):  # pages speak from the top of a checkout
        (tmp_path / name).symlink_to(ROOT / name)
    for command in commands(page):
        if command not in RUN_ELSEWHERE:
            run(command, tmp_path)


def test_the_make_targets_of_the_readme_exist() -> None:
    for command in ("make", "make test", "make test-all", "make check", "make bench", "make help"):
        done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_sweep_file_shown_is_one(page: Path) -> None:
    for block in blocks(page, "yaml"):
        if ("metric:" in block or "metrics:" in block) and "parameters:" in block:
            read_sweep_text(block, page.name)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_stands_in_readme_and_commands(verb: str) -> None:
    assert f"hpo {verb}" in (ROOT / "README.md").read_text()
    assert f"hpo {verb}" in (ROOT / "docs" / "commands.md").read_text()


def test_every_command_mentioned_is_a_verb() -> None:
    for page in PAGES:
        for verb in re.findall(r"`hpo ([a-z]+)\b", page.read_text()):
            assert verb in VERBS, f"{page.name} speaks of hpo {verb}"


def test_every_key_of_the_sweep_file_is_described() -> None:
    schema = json.loads((ROOT / "hpo" / "schema" / "sweep-v1.json").read_text())
    text = (ROOT / "docs" / "sweep-file.md").read_text()
    sections = [schema, *schema["$defs"].values()]
    keys = {key for section in sections for key in section.get("properties", {})}
    assert not sorted(key for key in keys if not re.search(rf"\b{key}\b", text))


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
