"""What trials leave behind cannot end a sweep, steer a terminal, run in a spreadsheet, or run when it is looked at.

F22 and the security table: huge and strange values, terminal and CSV injection, pickles, code named by a file.
"""

import csv
import io
import json
import os
import pickle
import re
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.search import run
from hpo.trial import State
from trackers.artifacts import ArtifactFolder
from trackers.errors import InvalidRecord, ModelError, TrackerError
from trackers.matching import is_like
from trackers.opening import open_store
from trackers.records import Artifact, LoggedModel, Point, Query, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

EVIL = "\x1b[31m\x1b]0;title\x07\x9b2J\r\u202etxt.exe\u2066|`<b>&\u2028"
FORMULA = '=cmd|" /C calc"!A0'
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

STRANGE = """
import os, sys

def objective(params, trial):
    number = trial.number
    if number == 0:
        trial.set_tag("big", "x" * 10_000_000)
    if number == 1:
        for step in range(20_000):
            trial.log_metric("m", step, step=step)
    if number == 2:
        raise ValueError("y" * 50_000_000)
    if number == 3:
        return {"loss": 1.0, **{f"m{n}": n for n in range(5000)}}
    if number == 4:
        trial.log_metric("line\\nbreak", 1.0)
    if number == 5:
        trial.set_tag("e\\U0001f600", "\\U0001f600 \\u202e")
    if number == 6:
        path = trial.dir / ("n" * 200)
        path.write_text("x")
        trial.log_artifact(path, "/".join(["n" * 200] * 6))
    return {"loss": float(number)}
"""


def hpo(folder: Path, *words: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(main, words)


def test_huge_and_strange_values_fail_their_own_trial_only_and_nothing_is_cut_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange_objective.py").write_text(STRANGE)
    (tmp_path / "sweep.yaml").write_text(
        "name: strange\nmetric: {name: loss}\nobjective: {python: 'strange_objective:objective'}\n"
        "parameters: {x: {type: float, low: 0, high: 1}}\nbudget: {n_trials: 8, max_failures: null}\n"
    )
    monkeypatch.chdir(tmp_path)

    result = run("sweep.yaml", tracker=f"sqlite:///{tmp_path}/mlflow.db")

    runs = {trial.trial.number: trial for trial in result.trials() if trial.trial}
    facts = {number: trial.trial for number, trial in runs.items() if trial.trial}
    assert [facts[number].state for number in range(8)] == [
        State.FAILED, State.COMPLETE, State.FAILED, State.COMPLETE, State.FAILED, State.COMPLETE, State.FAILED,
        State.COMPLETE,
    ]  # fmt: skip
    assert (facts[0].reason, facts[0].error) == ("invalid_result", "tag 'big' may have 8000 characters, got 10000000")
    assert facts[2].error.endswith("...")
    assert "characters were cut here" in facts[2].traceback
    assert len(runs[3].metrics) == 5001
    assert "printable" in facts[4].error
    assert runs[5].tags["e\U0001f600"].startswith("\U0001f600")
    assert "must have 1 to 250 characters, got 1205" in facts[6].error
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True) as store:
        assert len(store.tracker.history(runs[1].id, "m")) == 20_000


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A store with steering characters and formulas wherever it takes text."""
    parent, child = "a" * 32, "b" * 32
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.experiment(f"exp{EVIL}")
        store.tracker.record(
            [
                RunStarted(
                    run_id=parent, name=f"sweep{EVIL}", experiment=f"exp{EVIL}", started=1, user=EVIL,
                    tags={f"tag{EVIL}": EVIL, "mlflow.note.content": EVIL},
                    sweep=SweepFacts(config=json.dumps({"k": EVIL}), config_hash="0", metric=f"loss{EVIL}",
                                     goal="minimize", seed=0, window=1, n_trials=1),
                ),
                RunStarted(
                    run_id=child, name=f"trial{EVIL}", experiment=f"exp{EVIL}", started=1, parent_id=parent,
                    params={f"p{EVIL}": EVIL, FORMULA: FORMULA}, tags={f"tag{EVIL}": FORMULA},
                    trial=TrialFacts(number=0, params={f"p{EVIL}": EVIL, FORMULA: FORMULA}, state="RUNNING"),
                ),
            ]
        )  # fmt: skip
        (tmp_path / "output.log").write_text(f"printed {EVIL}\n")
        uri = store.tracker.get(child).artifact_uri
        files = ArtifactFolder().save_file(uri, tmp_path / "output.log", "logs/output.log")
        store.tracker.record(
            [
                RunEnded(child, Status.FAILED, 2, points=[Point(f"loss{EVIL}", 1.0, 0, 1)], tags={EVIL: EVIL},
                         artifacts=files,
                         trial=TrialFacts(number=0, params={f"p{EVIL}": EVIL, FORMULA: FORMULA}, state="FAILED",
                                          reason="exception", error=EVIL, traceback=f"Traceback\n{EVIL}"))
            ]
        )  # fmt: skip
    return tmp_path


VERBS = (
    ("ls",),
    ("show",),
    ("show", "@latest#0"),
    ("trials",),
    ("best",),
    ("logs", "@latest#0"),
    ("models",),
    ("doctor",),
)


@pytest.mark.parametrize("form", ["table", "json", "csv", "yaml", "md"])
def test_no_text_of_a_store_steers_the_terminal(hostile: Path, form: str) -> None:
    for verb in VERBS:
        done = hpo(hostile, *verb, "-f", form)
        assert not STEERING.search(done.stdout), (verb, STEERING.search(done.stdout))
        assert not STEERING.search(done.stderr), (verb, STEERING.search(done.stderr))
    assert "\\x1b[31m" in hpo(hostile, "logs", "@latest#0").stdout


def test_a_spreadsheet_runs_no_cell(hostile: Path) -> None:
    printed = hpo(hostile, "trials", "-f", "csv").stdout
    exported = hpo(hostile, "export", "@latest", "-o", "out.csv")
    assert exported.exit_code == 0, exported.stderr

    for text in (printed, (hostile / "out.csv").read_text()):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert any(cell.startswith("'=cmd") for cell in cells)
        assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and not re.fullmatch(r"[-+]?[\d.e+-]*", cell)]


def test_looking_imports_nothing_that_a_file_names(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "marking.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\ndef objective(p, t): return p['x']\n"
    )
    (tmp_path / "sweep.yaml").write_text(
        "name: marked\nmetric: {name: loss}\nobjective: {python: 'marking:objective'}\n"
        "parameters: {x: {type: float, low: 0, high: 1}}\nbudget: {n_trials: 1}\n"
    )
    run(tmp_path / "sweep.yaml", tracker=f"sqlite:///{tmp_path}/mlflow.db")
    assert marker.exists()
    marker.unlink()
    sys.modules.pop("marking", None)

    for words in (
        ("check", "sweep.yaml"),
        *VERBS,
        ("export", "-o", "x.json"),
        ("register", "marked"),
        ("completion", "bash"),
    ):
        hpo(tmp_path, *words)
        assert not marker.exists(), words


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_in_a_models_folder_is_never_loaded_by_looking_or_registering(tmp_path: Path) -> None:
    marker, parent, child = tmp_path / "exploded", "a" * 32, "b" * 32
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}\n"
        f"  sklearn: {{pickled_model: model.pkl, serialization_format: cloudpickle}}\nmodel_id: m-{'0' * 32}\n"
    )
    (folder / "model.pkl").write_bytes(pickle.dumps(Bomb(marker)))
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.experiment("e")
        sweep = SweepFacts(config="{}", config_hash="0", metric="loss", goal="minimize", seed=0, window=1, n_trials=1)
        store.tracker.record(
            [
                RunStarted(run_id=parent, name="bombed", experiment="e", started=1, sweep=sweep),
                RunStarted(run_id=child, name="trial-0", experiment="e", started=1, parent_id=parent,
                           params={"x": 1}, trial=TrialFacts(number=0, params={"x": 1}, state="RUNNING")),
            ]
        )  # fmt: skip
        uri = store.tracker.get(child).artifact_uri
        files = ArtifactFolder().save_file(uri, folder, "model")
        store.tracker.record(
            [
                RunEnded(child, Status.FINISHED, 2, points=[Point("loss", 1.0, 0, 1)], artifacts=files,
                         models=[LoggedModel("m-" + "0" * 32, "model", "model", "sklearn")],
                         trial=TrialFacts(number=0, params={"x": 1}, state="COMPLETE", value=1.0)),
                RunEnded(parent, Status.FINISHED, 3),
            ]
        )  # fmt: skip

    for words in (*VERBS, ("register", "bombed"), ("models", "bombed"), ("export", "-o", "x.csv")):
        done = hpo(tmp_path, *words)
        assert not marker.exists(), words
    assert "bombed" in hpo(tmp_path, "models").stdout, done.stderr  # registered, as files
    with pytest.raises(ModelError, match="pickle"):
        ArtifactFolder().load_model(uri, "model", files)
    assert not marker.exists()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/x", "https://nowhere.invalid/x", "ftp://nowhere.invalid/x", "ssh://nowhere.invalid/x",
            "filecache::http://nowhere.invalid/x", "s3://b/x::http://nowhere.invalid", "reference://x", "github://a:b@c"]
)  # fmt: skip
def test_a_database_cannot_make_us_call_anybody(uri: str) -> None:
    with pytest.raises(TrackerError, match=r"artifacts are kept in folders and in s3|an artifact URI must be s3://"):
        ArtifactFolder().names(uri)


def test_a_database_cannot_name_files_out_of_a_runs_artifacts(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    place = tmp_path / "artifacts"
    place.mkdir()

    assert ArtifactFolder().verify(str(place), [Artifact("../secret", 1, "0" * 64)]) == ["../secret"]
    with pytest.raises(InvalidRecord):
        ArtifactFolder().delete(str(place), ["../secret"])
    assert (tmp_path / "secret").exists()


@pytest.mark.parametrize(
    "where",
    [
        "params.x = '1'' OR 1=1 --'", "params.`x' OR '1'='1` = 'a'", "name = 'a'); DROP TABLE runs; --'",
        "metrics.\"a\"\" UNION SELECT 1\" > 0", "tags.x LIKE '%' AND name LIKE '%_%_%_%_%_%_%_%_%_%_%_%_%_%'",
    ],
)  # fmt: skip
def test_a_filter_is_text_to_compare_with_and_never_sql(hostile: Path, where: str) -> None:
    uri = f"sqlite:///{hostile}/mlflow.db"
    began = time.perf_counter()
    done = hpo(hostile, "trials", "--where", where)

    assert done.exit_code in (0, 1, 2)
    assert "Traceback" not in done.stderr
    assert "syntax error" not in done.stderr
    assert time.perf_counter() - began < 10
    with open_store(uri, read_only=True) as store:
        assert len(store.tracker.find(Query())) == 2


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("%a" * 1000 + "b", "a" * 8000), ("%a_" * 600 + "%c", "ab" * 4000), ("%" + "a" * 2000 + "b", "a" * 8000)],
)
def test_no_pattern_makes_like_slow(pattern: str, text: str) -> None:
    began = time.perf_counter()
    assert not is_like(pattern, text)
    assert time.perf_counter() - began < 1
