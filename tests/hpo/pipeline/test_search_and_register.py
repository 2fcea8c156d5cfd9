"""Search and register: what the search may see, which trials compete, what is registered, and what is refused."""

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hpo.errors import ConfigError, HpoError, NothingFound, ObjectiveError
from hpo.pipeline import preprocess
from hpo.pipeline.prepared import open_prepared
from hpo.pipeline.registering import Registered, register
from hpo.pipeline.searching import search
from hpo.result import SweepResult
from trackers.errors import StoreUnavailable
from trackers.opening import open_store
from trackers.records import Point, Query, Run, RunUpdated

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "taxi.yaml"
SMALL = ["budget.n_trials=5", "parameters.n_estimators={type: int, low: 2, high: 5}", "register.top=3"]
SERIAL = ["parallel={n_jobs: 1, backend: serial, window: 4}"]


def searched(folder: Path, data: Path, *overrides: str) -> SweepResult:
    changes = [*SMALL, *SERIAL, f"tracker.artifacts={folder}/mlruns", *overrides]
    return search(CONFIG, data=data, overrides=changes, tracker=uri(folder))


def registered(folder: Path, sweep: str = "taxi", *, top: int = 3, **options: object) -> Registered:
    return register(sweep, top=top, tracker=uri(folder), **options)  # type: ignore[arg-type]  # as the caller has them


def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def trials(folder: Path, sweep: str = "taxi") -> Sequence[Run]:
    with open_store(uri(folder), read_only=True) as store:
        (parent,) = store.tracker.find(Query(sweeps=True, name=sweep))
        return store.tracker.find(Query(parent=parent.id))


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds a finished sweep, searched in two processes; tests copy the store."""
    folder = tmp_path_factory.mktemp("finished")
    searched(folder, data, "parallel={n_jobs: 2, window: 4}")
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A store of one's own; model files stay where they are, in the shared folder, and are only read."""
    with (
        contextlib.closing(sqlite3.connect(finished / "mlflow.db")) as source,
        contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as target,
    ):
        source.backup(target)
    return tmp_path


@pytest.fixture(scope="module")
def opened() -> Iterator[list[str]]:
    """The names of all files that are opened from now on; an audit hook cannot be taken back, so it is set once."""
    names: list[str] = []
    listening = True

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open":
            names.append(str(arguments[0]))

    sys.addaudithook(listen)
    yield names
    listening = False


@pytest.mark.slow
def test_a_search_needs_no_test_month_and_gives_the_same_trials_without(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(data, tmp_path / "data")
    (copy / "test.npz").unlink()
    searched(tmp_path, copy)
    without, before = trials(tmp_path), trials(finished)
    assert [run.metrics for run in without] == [run.metrics for run in before]
    assert [{**run.params, "data": ""} for run in without] == [{**run.params, "data": ""} for run in before]


def test_a_search_opens_train_and_validation_and_never_the_test_month(
    opened: list[str], data: Path, tmp_path: Path
) -> None:
    opened.clear()
    searched(tmp_path, data, "budget.n_trials=2")
    names = {Path(name).name for name in opened if name.startswith(str(data))}
    assert names == {"manifest.json", "train.npz", "validation.npz", "preprocessor.skops"}


@pytest.mark.slow
def test_a_search_keeps_the_models_of_its_best_and_registers_nothing(finished: Path) -> None:
    ranked = sorted(trials(finished), key=lambda run: run.metrics["rmse"])
    assert [bool(run.models) for run in ranked] == [True, True, True, False, False]
    with open_store(uri(finished), read_only=True) as store:
        assert not store.registry.versions()


def test_a_search_names_its_data(finished: Path, data: Path) -> None:
    digests = open_prepared(data).digests("train", "validation").items()
    with open_store(uri(finished), read_only=True) as store:
        (parent,) = store.tracker.find(Query(sweeps=True))
    assert digests <= parent.tags.items()
    assert all(digests <= run.tags.items() for run in trials(finished))


def test_the_best_on_test_among_the_best_by_validation_is_registered(folder: Path, data: Path) -> None:
    made = registered(folder)
    ranked = sorted(trials(folder), key=lambda run: (run.metrics["rmse"], run.name))
    assert [candidate.run.id for candidate in made.candidates] == [run.id for run in ranked[:3]]
    assert made.winner.test == min(candidate.test for candidate in made.candidates)
    assert made.version.run_id == made.winner.run.id
    assert list(made.version.aliases) == ["champion"]
    with open_store(uri(folder), read_only=True) as store:
        assert store.registry.get("green-taxi-duration", "champion").version == made.version.version == 1


def test_a_refit_gives_the_metric_on_record_to_the_last_digit(folder: Path) -> None:
    assert all(candidate.exact for candidate in registered(folder).candidates)


def test_scores_stand_on_the_runs_of_the_candidates_and_of_nobody_else(folder: Path, data: Path) -> None:
    made = registered(folder)
    scored = {run.id: run.metrics["test_rmse"] for run in trials(folder) if "test_rmse" in run.metrics}
    assert scored == {candidate.run.id: candidate.test for candidate in made.candidates}
    assert all(c.run.tags["hpo.data.test"] == open_prepared(data).digest("test") for c in made.candidates)


def test_a_version_leads_back_to_sweep_trial_and_data(folder: Path, data: Path) -> None:
    made = registered(folder)
    tags = made.version.tags
    assert tags["hpo.sweep"] == "taxi"
    assert tags["hpo.trial"] == str(made.winner.number)
    assert open_prepared(data).digests("train", "validation", "test").items() <= tags.items()
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert f"test_rmse {made.winner.test:.6g}" in made.version.description
    assert "Fitted on 2023-01 (" in made.version.description
    assert "Picked among the 3 best trials" in made.version.description


def test_registering_again_gives_the_same_version_and_scores_nothing_twice(folder: Path) -> None:
    first, again = registered(folder), registered(folder)
    assert (again.version.version, again.winner.run.id) == (first.version.version, first.winner.run.id)
    with open_store(uri(folder), read_only=True) as store:
        assert len(store.tracker.history(first.winner.run.id, "test_rmse")) == 1


@pytest.mark.slow
def test_validation_may_decide_instead_so_that_the_test_score_stays_honest(folder: Path) -> None:
    made = registered(folder, by="validation", alias=None)
    assert made.winner is made.candidates[0]
    assert list(made.version.aliases) == []
    assert "the test data had no part in it" in made.version.description


def test_an_older_sweep_with_better_scores_never_mixes_in(folder: Path, data: Path) -> None:
    shallow = ["parameters.max_depth=1", "budget.n_trials=3"]
    searched(folder, data, "name=shallow", "experiment=taxi", *shallow)
    worst_before = max(run.metrics["rmse"] for run in trials(folder) if run.models)
    made = registered(folder, "shallow")
    assert {candidate.run.id for candidate in made.candidates} == {run.id for run in trials(folder, "shallow")}
    assert min(candidate.validation for candidate in made.candidates) > worst_before


def test_a_second_sweep_of_the_same_file_is_registered_by_its_own_name(folder: Path, data: Path) -> None:
    changes = [*SMALL, *SERIAL, f"tracker.artifacts={folder}/mlruns", "budget.n_trials=2"]
    second = search(CONFIG, data=data, overrides=changes, tracker=uri(folder), new=True)
    made = registered(folder, second.run_id[:12], top=2)
    assert made.sweep == second.name == "taxi-2"
    assert {candidate.run.parent_id for candidate in made.candidates} == {second.run_id}


def test_an_unknown_sweep_is_named_with_the_nearest(folder: Path) -> None:
    with pytest.raises(NothingFound, match="no sweep 'taxy' in the store - did you mean 'taxi'"):
        registered(folder, "taxy")


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        registered(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sweep_without_a_finished_trial_is_refused(data: Path, tmp_path: Path) -> None:
    searched(tmp_path, data, "parameters.max_depth=-1", "budget.n_trials=2")
    with pytest.raises(NothingFound, match="sweep taxi has no finished trial with a finite rmse"):
        registered(tmp_path)


def test_a_sweep_that_kept_no_models_is_refused_before_the_test_month_is_read(data: Path, tmp_path: Path) -> None:
    searched(tmp_path, data, "tracker.log_models=none", "register=null", "budget.n_trials=2")
    with pytest.raises(NothingFound, match="keeps no model, so there is nothing to register"):
        registered(tmp_path)
    assert not any("test_rmse" in run.metrics for run in trials(tmp_path))


def test_more_candidates_than_models_are_refused_with_the_number_there_is(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"3 of the 4 best trials of sweep taxi keep a model: take --top 3"):
        registered(folder, top=4)


def test_a_search_without_prepared_data_is_refused_before_trial_1(tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match="no prepared data in"):
        searched(tmp_path, tmp_path / "nowhere")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_sweep_does_not_go_on_with_other_data_than_it_began_with(folder: Path, raw: Path, tmp_path: Path) -> None:
    made = preprocess(raw, tmp_path / "data", rows=100)
    searched(tmp_path, made.folder, "name=small", "budget.n_trials=1")
    preprocess(raw, made.folder, rows=200)
    with pytest.raises(ConfigError, match=r"(?s)the sweep 'small' in the store saw other data than .*: --new"):
        searched(tmp_path, made.folder, "name=small", "budget.n_trials=2")
    assert len(trials(tmp_path, "small")) == 1


def test_registering_without_the_data_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match="no prepared data in"):
        registered(folder, data=tmp_path / "nowhere")


def test_registering_with_other_data_than_the_sweep_saw_is_refused(folder: Path, raw: Path, tmp_path: Path) -> None:
    other = preprocess(raw, tmp_path / "other", rows=100).folder
    with pytest.raises(HpoError, match="saw other train data than"):
        registered(folder, data=other)
    assert not any("test_rmse" in run.metrics for run in trials(folder))


def test_a_trial_that_cannot_be_repeated_is_refused(folder: Path) -> None:
    best = min(trials(folder), key=lambda run: run.metrics["rmse"])
    with open_store(uri(folder)) as store:
        better = Point("rmse", best.metrics["rmse"] - 0.1, 1, 2**41)
        store.tracker.record([RunUpdated(best.id, points=[better])])
    with pytest.raises(HpoError, match=r"cannot be repeated: its rmse on validation is .* on record and"):
        registered(folder)
    with open_store(uri(folder), read_only=True) as store:
        assert not store.registry.versions()


def test_a_model_file_that_was_altered_is_refused(data: Path, tmp_path: Path) -> None:
    searched(tmp_path, data, "budget.n_trials=1")
    (run,) = trials(tmp_path)
    (model,) = Path(run.artifact_uri).rglob("*.skops")
    model.write_bytes(b"x" + model.read_bytes()[1:])
    with pytest.raises(HpoError, match="is missing or altered"):
        registered(tmp_path)
