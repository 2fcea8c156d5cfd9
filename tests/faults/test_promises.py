"""docs/reliability.md names tests that exist, for every promise and every fault."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "reliability.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)
    assert named
    for file, name in named:
        functions = {
            node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, f"{file} has no {name}"


def test_every_promise_names_a_test() -> None:
    for number in range(1, 13):
        [line] = [line for line in TEXT.splitlines() if line.startswith(f"| G{number} |")]
        assert "::test_" in line


def test_every_fault_names_a_test() -> None:
    for number in range(1, 33):
        [line] = [line for line in TEXT.splitlines() if line.startswith(f"| F{number} |")]
        assert "::test_" in line
