"""Folders that no export of ours wrote: refused by name, before anything of them is run."""

import json
import math
import subprocess
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpo.captures import Capture
from hpo.errors import ConfigError, ProvenanceError
from hpo.provenance.code import Code
from hpo.provenance.environment import Environment
from hpo.provenance.file_digest import digest_of_file
from hpo.replaying.data_place import data_files
from hpo.replaying.project import edited, read_project, write_project
from hpo.replaying.record import Record, TrialRecord, as_json, from_json
from trackers.records import Dataset, Point, TrialFacts

TRIAL = TrialRecord("a#1", "r", TrialFacts(1, {}), [Point("m", 1.5)])
GOOD = Record("a", "b", "c", "m", datasets=[Dataset("d", "0")], trials=[TRIAL])
CAPTURE: dict[str, Any] = {"code": {"folder": ".", "started_in": "."}, "environment": {}, "command": [], "files": {}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "trial.json").write_text(as_json(GOOD))
    (tmp_path / "capture.json").write_text(json.dumps(CAPTURE))
    return tmp_path


def test_a_project_as_it_was_written_is_read(project: Path) -> None:
    record, capture = read_project(project)

    assert record.trials[0].metrics == {"m": 1.5}
    assert (capture.code.folder, edited(project)) == (".", [])


@pytest.mark.parametrize("text", ["[]", "3", "", "{}", "[" * 100_000 + "]" * 100_000])
@pytest.mark.parametrize("name", ["trial.json", "capture.json"])
def test_a_text_that_is_no_record_is_refused(project: Path, name: str, text: str) -> None:
    (project / name).write_text(text)

    with pytest.raises(ConfigError, match=r"is no (record|project)"):
        read_project(project)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["sweep"], 3),
        (["config"], None),
        (["trials"], {}),
        (["trials", 0], 3),
        (["trials", 0, "facts"], []),
        (["trials", 0, "facts", "number"], "x"),
        (["trials", 0, "facts", "params"], {"a": {"b": 1}}),
        (["trials", 0, "facts", "seed"], math.inf),
        (["trials", 0, "points"], [{"metric": "m", "value": "x"}]),
        (["datasets", 0, "source"], 3),
        (["started_in"], 3),
    ],
)
def test_what_is_of_another_kind_is_named(project: Path, path: list[str | int], value: object) -> None:
    facts = deepcopy(json.loads(as_json(GOOD)))
    place = facts
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    (project / "trial.json").write_text(json.dumps(facts))

    with pytest.raises(ConfigError, match=".".join(map(str, path))):
        read_project(project)


@pytest.mark.parametrize(
    ("name", "value"),
    [("code", []), ("code", {"folder": "../.."}), ("environment", {"python": 3}), ("command", 3), ("files", [])],
)
def test_a_capture_of_another_kind_is_refused(project: Path, name: str, value: object) -> None:
    (project / "capture.json").write_text(json.dumps({**CAPTURE, name: value}))

    with pytest.raises(ConfigError, match="is no project"):
        (read_project(project), edited(project))


@pytest.mark.parametrize(
    ("source", "profile"), [('{"uri": "a\\u0000b"}', None), ("[]", None), ('{"uri": "x"}', "[]"), ('{"uri": 3}', "3")]
)
def test_data_sets_of_any_description_are_looked_for(source: str, profile: str | None) -> None:
    record = Record("a", "b", "c", "m", datasets=[Dataset("d", "0", source=source, profile=profile)])

    assert all(found is None for _, _, found in data_files(record, None))


def test_numbers_and_texts_come_back_to_the_last_bit() -> None:
    params = {"i": 1, "f": 1.0, "b": True, "s": "1", "big": 2**70, "zero": -0.0, "small": 5e-324, "half": "\ud800 😀"}
    points = [Point("m", value) for value in (math.inf, -math.inf, 0.1 + 0.2, 1e-310)]
    record = Record("a", "b", "c", "m", trials=[TrialRecord("n", "r", TrialFacts(1, params), points)])

    (trial,) = from_json(as_json(record)).trials

    assert [repr(value) for value in trial.facts.params.values()] == [repr(value) for value in params.values()]
    assert list(trial.points) == points


def test_no_file_is_copied_into_a_project_only_because_a_record_names_it(tmp_path: Path) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text("s3cret\n")
    lure = Dataset("d", "0" * 36, source=json.dumps({"uri": str(secret)}))
    unknown = replace(lure, profile='{"num_rows": 3}')
    code = Code(files={"train.py": b"x = 1\n"}, root=str(tmp_path / "gone"))
    capture = Capture(code, Environment(), (), "k")

    for dataset in (lure, unknown):
        with pytest.raises(ProvenanceError, match="is not copied"):
            write_project(replace(GOOD, datasets=[dataset]), capture, tmp_path / "made", with_data=True)
    kept = replace(lure, digest=digest_of_file(secret))
    write_project(replace(GOOD, datasets=[kept]), capture, tmp_path / "made", with_data=True)
    assert (tmp_path / "made" / "data" / "id_rsa").read_text() == "s3cret\n"


def test_writing_a_project_runs_nothing_that_a_repository_of_the_record_says(tmp_path: Path) -> None:
    author = ("-c", "user.name=me", "-c", "user.email=me@x")
    theirs, ran = tmp_path / "theirs", tmp_path / "ran"
    (theirs / "sub").mkdir(parents=True)
    (theirs / ".gitattributes").write_text("* filter=x\n")

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(theirs), *author, *arguments], capture_output=True, check=True)
        return done.stdout.decode().strip()

    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("commit", "-qm", "one"),
        ("config", "filter.x.smudge", f"touch {ran}"),
    ):
        git(*arguments)
    capture = Capture(Code(commit=git("rev-parse", "HEAD"), root=str(theirs)), Environment(), (), "k")

    with pytest.raises(ProvenanceError, match=r"filter\.x\.smudge; if it is yours"):
        write_project(GOOD, capture, tmp_path / "made")
    assert not ran.exists()
    write_project(GOOD, capture, tmp_path / "made", repository=theirs)
    assert ran.exists()
