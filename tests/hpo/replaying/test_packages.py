"""Which Python replays a trial, with which variables, and what is refused."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import ProvenanceError
from hpo.provenance.environment import Environment, captured_environment
from hpo.replaying.code_place import CodePlace, current_code
from hpo.replaying.packages import packages_for
from hpo.replaying.record import Record
from hpo.replaying.wishes import Wishes

SWEEP = """
version: 1
name: iris
metric: {name: loss}
objective: {python: "train:objective"}
parameters: {x: {type: float, low: 0.0, high: 1.0}}
parallel: {n_jobs: 1, backend: loky, inner_threads: 1}
"""


@pytest.fixture
def then() -> Environment:
    return captured_environment([], os.environ, inner_threads=1, backend="loky")


@pytest.fixture
def code(tmp_path: Path) -> CodePlace:
    return CodePlace(tmp_path, tmp_path, "/then", str(tmp_path))


@pytest.fixture
def record() -> Record:
    return Record("iris", "5" * 32, SWEEP, "loss")


def test_the_packages_on_record_are_those_that_are_here(
    record: Record, then: Environment, code: CodePlace, tmp_path: Path
) -> None:
    found = packages_for(record, then, code, Wishes(), tmp_path)
    assert (found.python, found.changes) == (sys.executable, [])
    assert found.variables["PYTHONHASHSEED"] == "0"


def test_others_are_refused_by_name_or_told(record: Record, then: Environment, code: CodePlace, tmp_path: Path) -> None:
    other = replace(then, packages={**then.packages, "numpy": "1.0", "gone": "2.0"})
    with pytest.raises(ProvenanceError, match=r"package gone: 2\.0 -> nothing, package numpy: 1\.0 -> .*--env locked"):
        packages_for(record, other, code, Wishes(), tmp_path)
    changes = packages_for(record, other, code, Wishes("current"), tmp_path).changes
    assert [(change.what, change.name) for change in changes] == [("package", "gone"), ("package", "numpy")]


def test_another_version_of_hpo_itself_is_told_and_not_refused(
    record: Record, then: Environment, code: CodePlace, tmp_path: Path
) -> None:
    other = replace(then, packages={**then.packages, "tracked-hpo": "0.0.1"}, sources={})
    changes = packages_for(record, other, code, Wishes(), tmp_path).changes
    assert "tracked-hpo" in [change.name for change in changes]


def test_a_project_that_was_installed_from_the_code_comes_with_it(
    record: Record, then: Environment, code: CodePlace, tmp_path: Path
) -> None:
    source = {"mine": "-e file:///then/mine"}
    other = replace(then, packages={**then.packages, "mine": "1.0"}, sources={**then.sources, **source})
    assert packages_for(record, other, code, Wishes(), tmp_path).changes == []


def test_variables_are_as_they_were(
    record: Record, then: Environment, code: CodePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "C")
    other = replace(then, variables={"TZ": "UTC", "PYTHONHASHSEED": "7", "TOKEN": "***"})
    found = packages_for(record, other, code, Wishes(), tmp_path)
    assert (found.variables["TZ"], found.variables["PYTHONHASHSEED"]) == ("UTC", "7")
    assert "LC_ALL" not in found.variables
    assert found.variables.get("TOKEN") != "***"


@pytest.mark.slow
def test_a_locked_environment_is_compared_with_the_record_as_it_came_out(
    record: Record, then: Environment, code: CodePlace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another Python of the same minor version stands in for the one on record, which is said."""
    major, minor, _ = then.python.split(".")
    other = replace(then, python=f"{major}.{minor}.99", packages={"tracked-hpo": "0.0.1"}, sources={})
    found = packages_for(record, other, code, Wishes("locked", environments=tmp_path / "kept"), tmp_path)
    assert [(change.what, change.name) for change in found.changes if change.what in ("python", "package")] == [
        ("python", "version"),
        ("package", "tracked-hpo"),
    ]
    [kept] = (path for path in (tmp_path / "kept").iterdir() if path.is_dir())
    assert Path(found.python).is_relative_to(kept)


def test_without_packages_on_record_there_is_nothing_to_compare_or_to_make(
    record: Record, code: CodePlace, tmp_path: Path
) -> None:
    assert packages_for(record, None, code, Wishes(), tmp_path).changes == ()
    with pytest.raises(ProvenanceError, match="no packages of 'iris' are on record"):
        packages_for(record, None, code, Wishes("locked"), tmp_path)


def test_code_as_it_is_lies_where_the_sweep_was_run_or_in_a_folder_that_is_named(
    record: Record, tmp_path: Path
) -> None:
    (tmp_path / "sweeps").mkdir()
    here = replace(record, folder=str(tmp_path / "sweeps"), started_in=str(tmp_path))
    assert current_code(here) == CodePlace(tmp_path / "sweeps", tmp_path)
    gone = replace(record, folder="/gone/sweeps", started_in="/gone")
    assert current_code(gone, tmp_path, "sweeps") == CodePlace(tmp_path / "sweeps", tmp_path)
    assert current_code(gone, tmp_path, "other") == CodePlace(tmp_path, tmp_path)
    with pytest.raises(ProvenanceError, match=r"was run from /gone/sweeps, which is not here; .*--repository DIR"):
        current_code(gone)
