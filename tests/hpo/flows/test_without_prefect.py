"""Prefect is an extra: who lacks it is told, and nothing else needs it."""

import ast
import sys
from pathlib import Path

import pytest

from hpo.errors import EngineError

ROOT = Path(__file__).resolve().parents[3]


def test_flows_without_prefect_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect", None)
    monkeypatch.delitem(sys.modules, "hpo.flows.prefect_flows", raising=False)
    with pytest.raises(EngineError, match=r"pip install 'tracked-hpo\[prefect\]'"):
        from hpo.flows import pipeline_flow  # noqa: F401


def test_a_name_that_is_no_flow_is_named_with_those_there_are() -> None:
    import hpo.flows

    with pytest.raises(AttributeError, match="pipeline_flow, sweep_flow"):
        hpo.flows.flow  # noqa: B018


def test_one_file_alone_imports_prefect() -> None:
    found = set()
    for path in [*(ROOT / "hpo").rglob("*.py"), *(ROOT / "trackers").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        text = path.read_text()
        if "prefect" in text and any(_imports_prefect(node) for node in ast.walk(ast.parse(text))):
            found.add(path.relative_to(ROOT).as_posix())
    assert found == {"hpo/flows/prefect_flows.py"}


def _imports_prefect(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").split(".")[0] == "prefect"
    return isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "prefect" for alias in node.names)
