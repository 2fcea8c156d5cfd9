"""A sweep file on a real store: started, continued, complete, refused; ranked and registered."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hpo import load, resume, run
from hpo.budget import Stop
from hpo.driver import Driver
from hpo.errors import ConfigError, NothingFound, ObjectiveError, SweepOwned
from hpo.ownership import claimed
from hpo.result import SweepResult
from trackers.opening import open_store
from trackers.records import Status

SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "parabola:objective"}
parameters:
  x: {type: float, low: -1, high: 1}
  k: {type: int, low: 1, high: 4}
  on: [true, false]
engine: {name: optuna, sampler: tpe, seed: 3}
budget: {n_trials: 6}
parallel: {backend: serial}
"""
OBJECTIVE = """
def objective(params, trial):
    if params["k"] == 4:
        raise ValueError("four")
    trial.report(0, 9.0)
    trial.set_tag("sign", "+" if params["x"] > 0 else "-")
    return {"loss": params["x"] ** 2 + params["k"], "other": 1.5}

def modelled(params, trial):
    from sklearn.linear_model import Ridge
    trial.log_model(Ridge(alpha=params["k"]).fit([[0.0], [1.0]], [0.0, params["x"]]), input_example=[[0.0]])
    return params["x"] ** 2

def hopeless(params, trial):
    return float("nan")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "parabola.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return tmp_path


def trials(result: SweepResult) -> list[tuple[object, ...]]:
    return [
        (run.trial.number, run.trial.state, dict(run.params), run.trial.value) for run in result.trials() if run.trial
    ]


def test_a_sweep_is_on_record_with_everything_it_was(folder: Path) -> None:
    result = run("sweep.yaml")
    assert result.stop is Stop.N_TRIALS
    assert sum(result.counts().values()) == 6
    best = result.best_trial
    assert (
        result.best_value == best.metrics["loss"] == min(run.metrics["loss"] for run in result.trials() if run.metrics)
    )
    assert type(best.params["k"]) is int
    assert type(best.params["on"]) is bool
    assert best.tags["sign"] in "+-"
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        parent = store.tracker.get(result.run_id)
        assert [point.value for point in store.tracker.history(best.id, "loss")] == [9.0, result.best_value]
        kept = [artifact.path for artifact in store.tracker.artifacts(result.run_id)]
        assert [path for path in kept if not path.startswith("capture/")] == ["expanded.yaml", "sweep.yaml"]
    assert parent.status is Status.FINISHED
    assert parent.params["sampler"] == "tpe"
    assert parent.sweep is not None
    assert parent.sweep.window == 1


def test_the_same_command_again_runs_nothing(folder: Path) -> None:
    first = run("sweep.yaml")
    again = run("sweep.yaml")
    assert (again.run_id, again.stop) == (first.run_id, None)
    assert trials(again) == trials(first)


def test_a_larger_budget_gives_what_it_would_have_given_at_once(folder: Path) -> None:
    run("sweep.yaml")
    grown = run("sweep.yaml", overrides=["budget.n_trials=10"])
    at_once = run("sweep.yaml", overrides=["budget.n_trials=10", "name=other"])
    assert trials(grown) == trials(at_once)
    assert len(trials(grown)) == 10


def test_new_runs_it_again_beside_the_first(folder: Path) -> None:
    first, second = run("sweep.yaml"), run("sweep.yaml", new=True)
    third = run("sweep.yaml", new=True)
    assert [first.name, second.name, third.name] == ["parabola", "parabola-2", "parabola-3"]
    assert trials(first) == trials(second) == trials(third)


def test_a_changed_file_is_refused_with_the_difference(folder: Path) -> None:
    run("sweep.yaml")
    (folder / "sweep.yaml").write_text(SWEEP.replace("high: 4", "high: 5"))
    with pytest.raises(ConfigError, match=r"(?s)  - parameters.k.high: 4\n  \+ parameters.k.high: 5\n--fork.*--new"):
        run("sweep.yaml")
    assert len(trials(load("parabola"))) == 6


def test_a_sweep_does_not_go_on_with_other_data(folder: Path) -> None:
    fitted = "{sklearn: {data: {path: d.csv, target: y}, estimator: sklearn.linear_model.Ridge, cv: {folds: 2}}}"
    text = SWEEP.replace('{python: "parabola:objective"}', fitted).replace("{name: loss}", "{name: r2, goal: maximize}")
    head, _, rest = text.partition("  x: {")
    _, _, tail = rest.partition("  on: [true, false]\n")
    (folder / "sweep.yaml").write_text(head + "  alpha: {type: float, low: 0, high: 1}\n" + tail)
    (folder / "d.csv").write_text("x,y\n" + "".join(f"{n},{2 * n}\n" for n in range(20)))
    run("sweep.yaml", overrides=["budget.n_trials=1"])
    assert len(trials(resume(more=1))) == 2
    (folder / "d.csv").write_text("x,y\n" + "".join(f"{n},{3 * n}\n" for n in range(20)))
    with pytest.raises(ConfigError, match=r"data d: 20 rows, .* -> 20 rows, .*\n    values differ in: y\n.*--new"):
        run("sweep.yaml", overrides=["budget.n_trials=3"])
    with pytest.raises(ConfigError, match="saw other data"):
        resume(more=1)
    forked = run("sweep.yaml", fork=True, overrides=["budget.n_trials=2", "engine.seed=9"])
    assert [run.tags.get("hpo.taken_from") for run in forked.trials()] == [None, None]


def test_a_sweep_that_a_living_driver_owns_is_refused(folder: Path) -> None:
    result = run("sweep.yaml")
    with open_store("sqlite:///mlflow.db") as store:
        with claimed(store.ownership, result.run_id, "parabola"):
            with pytest.raises(SweepOwned, match=str(os.getpid())):
                run("sweep.yaml", overrides=["budget.n_trials=9"])
            with pytest.raises(SweepOwned, match="--takeover"):
                resume("parabola", more=3)
        assert len(trials(result)) == 6
        dead = replace(Driver.here(), boot="another")
        store.ownership.claim(result.run_id, dead.text, taking_from=None)
    assert len(trials(run("sweep.yaml", overrides=["budget.n_trials=9"]))) == 9


def test_a_sweep_without_a_finite_result_is_failed_and_has_no_best(folder: Path) -> None:
    result = run("sweep.yaml", overrides=["objective.python=parabola:hopeless", "budget.max_failures=3"])
    assert result.stop is Stop.FAILURES
    with pytest.raises(NothingFound, match="finite loss"):
        _ = result.best_params
    assert [state for _, state, _, _ in trials(result)] == ["FAILED"] * 3


def test_the_winner_is_registered_with_its_lineage_once(folder: Path) -> None:
    settings = ["objective.python=parabola:modelled", "register.name=ridge", "register.top=2"]
    result = run("sweep.yaml", overrides=settings)
    version = result.registered
    assert version is not None
    assert (version.name, version.version, list(version.aliases)) == ("ridge", 1, ["champion"])
    assert version.run_id == result.best_trial.id
    assert version.tags["hpo.sweep"] == "parabola"
    assert version.tags["hpo.trial"] == str(result.best_trial.trial.number)  # type: ignore[union-attr]
    assert "Parameters: x=" in version.description
    again = run("sweep.yaml", overrides=settings)
    assert again.registered is None
    assert "registered before as ridge version 1" in again.not_registered


def test_only_the_models_of_the_best_trials_stay_on_disk(folder: Path) -> None:
    result = run(
        "sweep.yaml", overrides=["objective.python=parabola:modelled", "register.name=ridge", "register.top=2"]
    )
    ranked = [run.id for run in result.best_runs(10)]
    kept = {path.parent.parent.parent.name for path in folder.glob("mlruns/*/*/artifacts/model/MLmodel")}
    assert kept == set(ranked[:2])
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        listed = {run_id for run_id in ranked if store.tracker.artifacts(run_id)}
        assert {run_id for run_id in ranked if store.tracker.get(run_id).models} == listed == kept


def test_an_altered_model_is_not_registered(folder: Path) -> None:
    from hpo.promotion import Promotion, promote
    from trackers.artifacts import ArtifactFolder

    result = run("sweep.yaml", overrides=["objective.python=parabola:modelled"])
    next(folder.glob("mlruns/*/*/artifacts/model/model.skops")).write_bytes(b"something else")
    with (
        open_store("sqlite:///mlflow.db") as store,
        pytest.raises(Exception, match=r"model/model\.skops is missing or altered"),
    ):
        promote(
            Promotion(store.tracker.get(result.best_trial.id), "ridge", "me"),
            tracker=store.tracker,
            registry=store.registry,
            verify=ArtifactFolder().verify,
        )


def test_an_objective_that_is_not_there_leaves_no_store_behind(folder: Path) -> None:
    with pytest.raises(ObjectiveError, match="parabola"):
        run("sweep.yaml", overrides=["objective.python=parabola:objectve"])
    assert not (folder / "mlflow.db").exists()


def test_an_older_sweep_is_loaded_by_name_and_the_latest_without(folder: Path) -> None:
    run("sweep.yaml")
    run("sweep.yaml", overrides=["name=newer"])
    assert load().name == "newer"
    assert load("parabola").best_params == run("sweep.yaml").best_params
    with pytest.raises(NothingFound, match="did you mean 'parabola'"):
        load("parabloa")


def test_the_result_is_a_table_a_picture_and_a_page(folder: Path) -> None:
    result = run("sweep.yaml")
    frame = result.trials_dataframe()
    assert list(frame["number"]) == list(range(6))
    assert frame["params.k"].dtype.kind == "i"
    assert result.best(2).shape[0] == 2
    for kind in ("history", "parallel"):
        result.plot(kind).savefig(folder / f"{kind}.png")
        assert (folder / f"{kind}.png").stat().st_size > 1000
    assert "parabola" in result._repr_html_()
