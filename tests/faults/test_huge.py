"""F22: what is huge works, or is refused with its limit; nothing is cut."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.config.conversion import space_of
from hpo.config.reading import read_sweep
from hpo.errors import ConfigError
from hpo.search import run
from hpo.space import Choice
from trackers.artifacts import ArtifactFolder
from trackers.artifacts.local_place import LocalPlace
from trackers.errors import StoreUnavailable
from trackers.opening import open_store
from trackers.records import Query, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

SLOW = pytest.mark.slow
OBJECTIVE = """
def mean(params, trial):
    return sum(params.values()) / len(params)


def points(params, trial):
    for step in range(1_000_000):
        trial.log_metric("m", float(step), step=step)
    return 1.0


def files(params, trial):
    folder = trial.dir / "many"
    for number in range(params["count"]):
        path = folder / str(number // 1000) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    trial.log_artifact(folder)
    return 1.0


def model(params, trial):
    import numpy as np
    from sklearn.neighbors import KNeighborsRegressor

    data = np.random.default_rng(0).random((250_000, 100))
    trial.log_model(KNeighborsRegressor(algorithm="brute").fit(data, data[:, 0]))
    return 1.0
"""


REFUSED = r"must be a name of letters|at most 2[05]0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "huge_objective.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, objective: str, parameters: object, **more: object) -> Path:
    sections = {
        "name": "huge",
        "metric": {"name": "loss"},
        "objective": {"python": f"huge_objective:{objective}"},
        "parameters": parameters,
        "engine": {"name": "optuna", "sampler": "random", "seed": 1},
        "budget": {"n_trials": 1},
        "parallel": {"n_jobs": 1, "backend": "serial"},
        "tracker": {"uri": "sqlite:///mlflow.db", "log_models": "none"},
        **more,
    }
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(sections))  # JSON is YAML
    return path


def hpo(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def many(count: int) -> dict[str, object]:
    return {f"p{number:04}": {"type": "float", "low": 0, "high": 1} for number in range(count)}


@pytest.mark.slow
def test_a_file_with_five_thousand_parameters_is_read(folder: Path) -> None:
    assert len(read_sweep(write(folder, "mean", many(5000))).parameters) == 5000


@SLOW
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_five_thousand_parameters_are_sampled_stored_shown_and_read_by_mlflow(folder: Path, sampler: str) -> None:
    engine = {"name": "optuna", "sampler": sampler, "seed": 1}
    run(write(folder, "mean", many(5000), engine=engine, budget={"n_trials": 12}))
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        parent = store.tracker.find(Query(sweeps=True))[0]
        trials = store.tracker.find(Query(parent=parent.id))
    assert [len(trial.params) for trial in trials] == [5000] * 12
    assert "p4999" in hpo("show", "huge#11").stdout
    listed = json.loads(hpo("trials", "huge", "-f", "json").stdout)
    assert [trial["params"] for trial in listed] == [dict(trial.params) for trial in trials]
    script = (
        "import warnings; warnings.simplefilter('ignore')\nimport mlflow, sys\n"
        "runs = mlflow.MlflowClient('sqlite:///mlflow.db').search_runs(['1'], max_results=50)\n"
        "print(sorted({len(run.data.params) for run in runs})[-1], len(runs))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5000", "13"]


def test_a_param_that_is_too_long_is_refused_with_the_limit_before_anything_runs(folder: Path) -> None:
    write(folder, "mean", {"text": ["x" * 6001, "y"]})
    refused = hpo("run", "sweep.yaml")
    assert refused.exit_code == 2
    assert "6,000" in refused.stderr or "6000" in refused.stderr
    write(folder, "mean", {"text": ["x" * 10_000_000, "y"]})
    refused = hpo("run", "sweep.yaml")
    assert refused.exit_code == 2
    assert "is larger than 1,000,000 bytes" in refused.stderr
    assert not (folder / "mlflow.db").exists()


@pytest.mark.parametrize("name", ["line\nbreak", "nul\0", "\U0001f600", "a" * 251])
def test_a_name_that_no_tool_could_show_is_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=REFUSED):
        read_sweep(write(folder, "mean", many(1), name=name))
    with pytest.raises(ConfigError, match=REFUSED):
        read_sweep(write(folder, "mean", {name: [1, 2]}))


def test_values_may_hold_any_character_also_as_json_writes_it(folder: Path) -> None:
    wanted = ["\U0001f600 \u202e", "line\nbreak", "\u00e9"]
    path = write(folder, "mean", {"text": wanted})
    assert "\\ud83d\\ude00" in path.read_text()  # the two halves of one character
    [parameter] = space_of(read_sweep(path)).parameters
    assert isinstance(parameter.domain, Choice)
    assert list(parameter.domain.choices) == wanted


@SLOW
def test_a_million_points_of_one_trial_are_recorded(folder: Path) -> None:
    run(write(folder, "points", many(1)))
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        [trial] = store.tracker.find(Query(parent=store.tracker.find(Query(sweeps=True))[0].id))
        points = store.tracker.history(trial.id, "m")
    assert len(points) == 1_000_000
    assert (points[-1].step, trial.metrics["m"]) == (999_999, 999_999.0)


@SLOW
def test_a_hundred_thousand_files_of_one_trial_are_kept(folder: Path) -> None:
    run(write(folder, "files", {"count": [100_000]}))
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        [trial] = store.tracker.find(Query(parent=store.tracker.find(Query(sweeps=True))[0].id))
        manifest = store.tracker.artifacts(trial.id)
    assert len(manifest) == 100_000
    assert ArtifactFolder().verify(trial.artifact_uri, manifest[::1000]) == []
    assert len(ArtifactFolder().names(trial.artifact_uri)) == 100_000


@pytest.mark.parametrize("count", [63, 64, 200])
def test_many_files_are_saved_as_few_are_each_whole_or_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    source, target = folder / "source", str(folder / "target")
    source.mkdir()
    for number in range(count):
        (source / f"{number}.txt").write_text(str(number))
    saved = ArtifactFolder().save_file(target, source, "kept")
    assert [artifact.path for artifact in saved] == sorted(f"kept/{number}.txt" for number in range(count))
    assert ArtifactFolder().verify(target, saved) == []
    write_one, failing = LocalPlace._write, "kept/31.txt"

    def failing_once(place: LocalPlace, path: Path, name: str) -> object:
        if name == failing:
            raise StoreUnavailable("no space left")
        return write_one(place, path, name)

    monkeypatch.setattr(LocalPlace, "_write", failing_once)
    with pytest.raises(StoreUnavailable, match="no space left"):
        ArtifactFolder().save_file(f"{target}-2", source, "kept")
    assert not list(Path(f"{target}-2").rglob("*.part"))


@SLOW
def test_a_model_of_two_hundred_megabytes_is_kept_in_bounded_memory(folder: Path) -> None:
    write(folder, "model", many(1), tracker={"uri": "sqlite:///mlflow.db", "log_models": "all"})
    script = "from hpo import run; run('sweep.yaml')"
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)
    [kept] = folder.glob("mlruns/*/*/artifacts/model/model.skops")
    assert kept.stat().st_size > 200e6
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 8 * kept.stat().st_size


@SLOW
def test_a_hundred_thousand_trials_are_listed_and_exported(folder: Path) -> None:
    facts = SweepFacts("{}", "0" * 64, "loss", "minimize", 1, 1, 100_000)
    with open_store("sqlite:///mlflow.db") as store:
        store.tracker.experiment("huge")
        store.tracker.record([RunStarted("a" * 32, "huge", "huge", 1, sweep=facts)])
        for first in range(0, 100_000, 1000):
            changes: list[RunStarted | RunEnded] = []
            for number in range(first, first + 1000):
                trial = TrialFacts(number, {"x": number}, "RUNNING")
                ended = TrialFacts(number, {"x": number}, "COMPLETE", value=float(number), seconds=1.0)
                run_id = f"{number:032x}"
                changes.append(RunStarted(run_id, f"trial-{number}", "huge", 1, "a" * 32, {"x": number}, trial=trial))
                changes.append(RunEnded(run_id, Status.FINISHED, 2, trial=ended))
            store.tracker.record(changes)
    assert len(hpo("trials", "huge").stdout.splitlines()) == 100_001
    assert len(json.loads(hpo("trials", "huge", "-f", "json").stdout)) == 100_000
    assert hpo("export", "huge", "-o", "out.csv").exit_code == 0
    assert len((folder / "out.csv").read_text().splitlines()) == 100_001
    assert "100000" in hpo("ls").stdout.replace(",", "")
