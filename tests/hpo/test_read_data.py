"""Data that trials read: recorded with their runs and with the sweep, and noticed when it changes."""

import json
import pickle
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpo import load, resume, run
from hpo.attempt import run_attempt
from hpo.data_record import without_secrets_in
from hpo.errors import ConfigError
from hpo.executors.result_folder import ResultFolder
from hpo.masking import Secrets
from hpo.objective import TrialContext
from hpo.provenance import file_digest, input_file
from hpo.provenance.digest_cache import DigestCache
from hpo.provenance.file_digest import FileDigests, digest_of_file
from hpo.replication import Replication, run_replicates
from hpo.secret_keeping import SecretKeepingFiles
from hpo.space import Params
from hpo.sweep_inputs import sweep_inputs
from hpo.trial import Goal, InputFile, Outcome, State, Trial
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Dataset, Query

FILES = StoredFiles(ArtifactFolder())
SWEEP = """
name: reading
metric: {name: loss}
objective: {python: "reading:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random, seed: 3}
budget: {n_trials: 2}
parallel: {backend: serial}
capture: {inputs: ["data/*.csv", images]}
"""
OBJECTIVE = """
from pathlib import Path

def objective(params, trial):
    trial.log_input(Path(__file__).parent / "data" / "train.csv")
    return params["x"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "data" / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "images" / "1.png").write_bytes(b"one")
    (tmp_path / "reading.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return tmp_path


class Reads:
    """An objective that logs what it is given as read."""

    def __init__(self, *given: tuple[object, ...]) -> None:
        self.given = given

    def __call__(self, params: Params, trial: TrialContext) -> float:
        for arguments in self.given:
            trial.log_input(*arguments)  # type: ignore[arg-type]  # wrong ones too
        return 1.0


def attempt(*given: tuple[object, ...], files: object = FILES) -> Outcome:
    trial = Trial(0, {}, 1)
    return run_attempt(Reads(*given), trial, metric="loss", goal=Goal.MINIMIZE, files=files)  # type: ignore[arg-type]


def test_a_trial_says_what_it_reads_by_digest_name_and_context(folder: Path) -> None:
    outcome = attempt(("data/train.csv",), ("images", "pictures", "test"), ("data/train.csv",))
    assert outcome.state is State.COMPLETE
    profile = json.dumps({"num_columns": 2, "bytes": 8, "columns": [{"name": "a"}, {"name": "b"}]})
    train = InputFile("train.csv", digest_of_file(Path("data/train.csv")), str(folder / "data/train.csv"))
    assert outcome.inputs == (
        replace(train, profile=profile),
        InputFile(
            "pictures", digest_of_file(Path("images")), str(folder / "images"), "test",
            profile=json.dumps({"bytes": 3, "num_files": 1}),
        ),
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(outcome)) == outcome


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nothing.csv",), "log_input: there is no file or folder"),
        (("images", ""), "the name of a data set must have 1 to 250 characters"),
        (("images", None, "a\nb"), "the name of a context must be printable"),
    ],
)
def test_a_trial_that_reads_nothing_there_fails_and_says_so(folder: Path, given: tuple[object, ...], said: str) -> None:
    outcome = attempt(given)
    assert (outcome.state, outcome.inputs) == (State.FAILED, ())
    assert said in outcome.error


def test_secrets_in_what_is_said_of_a_file_are_masked(folder: Path) -> None:
    (folder / "hunter22.csv").write_text("hunter22,b" + "," * 9990 + "\n")
    secrets = Secrets(values=frozenset({"hunter22", "10001"}))
    [found] = attempt(("hunter22.csv",), files=SecretKeepingFiles(FILES, secrets)).inputs
    assert "hunter22" not in str(found)
    assert (found.name, found.digest) == ("***.csv", digest_of_file(folder / "hunter22.csv"))
    assert json.loads(found.profile)["bytes"] == 10_001  # a number is none
    [named] = sweep_inputs(["hunter22.csv"], [str(folder)])
    assert "hunter22" not in str(without_secrets_in(named, secrets))


def test_what_a_worker_wrote_down_holds_what_it_read(folder: Path, tmp_path: Path) -> None:
    results = ResultFolder(tmp_path / "results")
    outcome = replace(attempt(("images",)), seconds=9.0)
    results.save(outcome)
    assert results.adopt([Trial(0, {}, 1)]) == [outcome]


def test_replicates_and_their_trial_say_what_they_read(folder: Path) -> None:
    (folder / "1.txt").write_text("1")

    def each(trial: Trial, gathered: object) -> Outcome:
        name = "1.txt" if trial.seed == 1 else "images"
        return attempt((name,), ("data/train.csv",))

    whole = run_replicates(
        each, Trial(0, {}, 1), Replication(2, "mean"), goals={"loss": Goal.MINIMIZE}, files=FILES,
        keeps=lambda _: False,
    )  # fmt: skip
    assert [data.name for data in whole.inputs] == ["1.txt", "train.csv", "images"]
    assert [[data.name for data in each.inputs] for each in whole.replicates] == [
        ["1.txt", "train.csv"],
        ["images", "train.csv"],
    ]


def test_data_sets_are_on_record_with_the_trials_and_the_sweep(folder: Path) -> None:
    result = run("sweep.yaml")
    with open_store("sqlite:///mlflow.db") as store:
        parent = store.tracker.get(result.run_id)
        trials = store.tracker.find(Query(parent=result.run_id, datasets=True))
    digest = digest_of_file(folder / "data/train.csv")
    assert [(data.name, data.context) for data in parent.datasets] == [("data/train.csv", "input"), ("images", "input")]
    assert parent.datasets[0].digest == digest
    [[first], [second]] = [trial.datasets for trial in trials]
    assert first == second
    assert (first.name, first.digest, first.source_type, first.context) == ("train.csv", digest, "local", "training")
    assert json.loads(first.source) == {"uri": str(folder / "data/train.csv")}


def test_a_sweep_does_not_go_on_with_other_files_and_says_which(folder: Path) -> None:
    run("sweep.yaml")
    (folder / "data" / "train.csv").write_text("a,b,c\n1,2,3\n")
    said = r"data data/train.csv: 8 bytes, .* -> 12 bytes, .*\n    columns added: c\n    size: 8 -> 12 bytes\n.*--new"
    with pytest.raises(ConfigError, match=said):
        run("sweep.yaml", overrides=["budget.n_trials=3"])
    with pytest.raises(ConfigError, match=said):
        resume(more=1)
    forked = run("sweep.yaml", fork=True, overrides=["engine.seed=9"])
    assert [trial.tags.get("hpo.taken_from") for trial in forked.trials()] == [None, None]
    assert len(load("reading").trials()) == 2


def test_files_to_record_may_be_named_later_or_no_more(folder: Path) -> None:
    run("sweep.yaml", overrides=["capture.inputs=images"])
    run("sweep.yaml", overrides=["budget.n_trials=3"])
    (folder / "data" / "train.csv").write_text("a\n")
    assert len(run("sweep.yaml", overrides=["budget.n_trials=4", "capture.inputs=[]"]).trials()) == 4


def test_a_pattern_that_nothing_fits_is_refused_with_its_place(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"capture\.inputs\.1: there is no file or folder 'data/\*\.parquet' in "):
        run("sweep.yaml", overrides=["capture.inputs=[images, data/*.parquet]"])
    assert not (folder / "mlflow.db").exists()


def test_patterns_name_each_file_once_from_the_first_folder_that_has_it(folder: Path) -> None:
    other = folder / "elsewhere"
    (other / "data").mkdir(parents=True)
    (other / "data" / "train.csv").write_text("other\n")
    (folder / "data" / "[1].csv").write_text("odd\n")

    def named(*patterns: str) -> list[str]:
        return [data.name for data in sweep_inputs(patterns, [str(folder), str(other)])]

    assert named("data/*.csv", "./data/train.csv") == ["data/[1].csv", "data/train.csv"]
    assert named("data/[1].csv", str(other / "data")) == ["data/[1].csv", str(other / "data")]
    [train] = sweep_inputs(["data/train.csv"], [str(folder), str(other)])
    assert train.digest == digest_of_file(folder / "data/train.csv")
    assert named("**/1.png") == ["images/1.png"]


def test_a_file_that_is_known_costs_a_trial_next_to_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "big.bin").write_bytes(b"x" * (1 << 20))
    reads: list[float] = []

    def counted(file: object) -> str:
        reads.append(time.perf_counter())
        return "d" * 36

    known = FileDigests(DigestCache(folder / "cache"), lambda: time.time_ns() + 10**11, counted)
    monkeypatch.setattr(input_file, "content_of", known.content)
    outcomes = [attempt(("big.bin",)) for _ in range(50)]
    assert len({outcome.inputs for outcome in outcomes}) == len(reads) == 1
    # nothing of it is described again either: the memory holds it
    monkeypatch.setattr(input_file, "_description", None)
    assert attempt(("big.bin",)).inputs == outcomes[0].inputs
    assert file_digest.WORTH_KEEPING < 1 << 20


def test_a_data_set_without_names_of_files_has_no_tag_for_them(folder: Path) -> None:
    from hpo.standing import data_tags

    own = [Dataset("iris", "d1"), Dataset("iris", "d2", context="test")]
    assert data_tags(own) == {"hpo.data.train": "d1", "hpo.data.test": "d2"}
    tags = data_tags([*own, Dataset("a", "d3", context="input"), Dataset("b", "d4", context="input")])
    assert tags == data_tags([Dataset("b", "d4", context="input"), Dataset("a", "d3", context="input"), *own])
    assert len(tags["hpo.data.inputs"]) == 36
