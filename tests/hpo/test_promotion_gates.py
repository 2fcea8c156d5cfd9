"""Sweeps whose winner has to pass gates, from the file to the version, on a real store."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from hpo import run
from hpo.build import parts_of
from hpo.config.reading import read_sweep
from hpo.decision import GATES_TAG
from hpo.errors import ConfigError
from hpo.gates import Verdict
from hpo.left_behind import records_of
from hpo.result import SweepResult
from hpo.winner import Finals
from trackers.artifacts import ArtifactFolder
from trackers.opening import Store, open_store
from trackers.records import ModelVersion, NewVersion, Query, Run
from trackers.registry import Registry

SWEEP = """
name: {name}
metric: {{name: rmse}}
objective:
  sklearn:
    data: {{loader: sklearn.datasets.load_diabetes{test}}}
    estimator: sklearn.tree.DecisionTreeRegressor
    cv: {{folds: 3}}
    scoring: [rmse, mae]
parameters:
  max_depth: {depth}
  max_features: [0.3, 0.6]
engine: {{name: optuna, sampler: random, seed: 2}}
budget: {{n_trials: 5}}
parallel: {{backend: serial}}
register: {register}
"""
OBJECTIVE = """
from sklearn.dummy import DummyRegressor

def objective(params, trial):
    trial.log_model(DummyRegressor(strategy="constant", constant=params["x"]).fit([[0.0]], [0.0]))
    return {"loss": params["x"] + (trial.seed % 7) / 1000, "size": 2.0}

def judge(model):
    with open("judged.txt", "a") as file:
        print(float(model.predict([[0.0]])[0]), file=file)
    return {"loss": float(model.predict([[0.0]])[0]), "test_other": 1}

def reverse(model):
    return 1 - float(model.predict([[0.0]])[0])

def breaks(model):
    raise ValueError("no such column")

def number(model):
    return 0.25

def two(model, extra):
    return 0
"""
PYTHON = """
name: {name}
metric: {{name: loss}}
objective: {{python: "gated:objective"}}
parameters: {{x: {xs}}}
engine: {{name: optuna, sampler: grid}}
budget: {{n_trials: 20}}
parallel: {{backend: serial}}
register: {register}
"""
URI = "sqlite:///mlflow.db"
GOOD, BAD = "[2, 3, 4]", "[40]"
"""Depths of trees: the deepest learn their rows by heart."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gated.py").write_text(OBJECTIVE)
    return tmp_path


def sweep(name: str, register: str, depth: str = GOOD, *, test: str = ", test: 0.3") -> SweepResult:
    Path(f"{name}.yaml").write_text(SWEEP.format(name=name, register=register, depth=depth, test=test))
    return run(f"{name}.yaml")


def python(name: str, register: str, xs: Sequence[float] = (0.3, 0.2, 0.4)) -> SweepResult:
    Path(f"{name}.yaml").write_text(PYTHON.format(name=name, register=register, xs=list(xs)))
    return run(f"{name}.yaml")


def verdicts(result: SweepResult) -> dict[str, Verdict]:
    assert result.decision is not None
    return {verdict.gate: verdict for verdict in result.decision.verdicts}


def versions() -> list[tuple[int, list[str]]]:
    with open_store(URI, read_only=True) as store:
        return [(version.version, list(version.aliases)) for version in store.registry.versions()]


def below(run_id: str) -> Sequence[Run]:
    with open_store(URI, read_only=True) as store:
        return store.tracker.find(Query(parent=run_id))


def judged() -> list[float]:
    path = Path("judged.txt")
    return [float(line) for line in path.read_text().split()] if path.exists() else []


def test_a_winner_that_passes_every_gate_is_registered_with_them(folder: Path) -> None:
    gates = 'when: "rmse < 80 and seconds < 600", seeds: 2, better_than: champion, margin: 0.5, stage: Staging'
    result = sweep("first", f"{{name: trees, top: 3, {gates}}}")
    version = result.registered
    assert version is not None
    assert (version.version, list(version.aliases), version.stage) == (1, ["champion"], "Staging")
    said = verdicts(result)
    assert list(said) == ["when", "seeds", "test", "better_than"]
    assert said["better_than"].text == "model trees has no champion yet, so there was nothing to beat"

    means = {run.id: run.metrics["seeds_mean_rmse"] for run in result.best_runs(3)}
    assert version.run_id == min(means, key=means.__getitem__)
    assert all(len(below(run_id)) == 2 for run_id in means)
    assert len(result.trials()) == 5
    assert {run.trial.state for again in means for run in below(again) if run.trial} == {"COMPLETE"}

    tags, parent = version.tags, result.run_id
    assert [verdict["gate"] for verdict in json.loads(tags[GATES_TAG])] == list(said)
    assert {"hpo.space_hash", "hpo.config_hash", "hpo.data.train", "hpo.data.test", "hpo.python"} <= set(tags)
    assert (tags["hpo.sweep_run_id"], tags["hpo.seeds"], tags["hpo.sweep_seed"]) == (parent, "2", "2")
    assert tags["hpo.environment"].endswith(tags["hpo.environment"].partition("sha256 ")[2])
    assert "Gate seeds passed: 2 re-runs with other seeds gave rmse" in version.description
    with open_store(URI, read_only=True) as store:
        [made, *_] = store.registry.history("trees")
        assert "winner of sweep first; gates passed: when: " in made.why
        assert "better_than: model trees has no champion yet" in made.why
        assert json.loads(store.tracker.get(parent).tags["hpo.promotion"])["registered"] == "trees version 1"


def test_a_condition_that_nobody_fits_costs_nothing_and_says_by_how_much(folder: Path) -> None:
    result = sweep("first", "{name: trees, top: 3, when: rmse < 20, seeds: 5}")
    assert result.registered is None
    [verdict] = verdicts(result).values()
    assert verdict.by == pytest.approx(20 - result.best_value)
    assert result.not_registered.startswith(f"gate when: trial {verdict.trial}: rmse {result.best_value:.6g} is ")
    assert result.not_registered.endswith("above 20; nor is one of the other 2 candidates left")
    assert not [child for run in result.trials() for child in below(run.id)]
    assert not [run for run in result.trials() if "test_rmse" in run.metrics]
    assert versions() == []


def test_a_condition_on_the_test_score_is_asked_after_it_was_taken(folder: Path) -> None:
    result = sweep("first", '{name: trees, top: 2, when: "test_rmse < 1000 and seeds_std_rmse < 1000", seeds: 2}')
    assert result.registered is not None
    assert list(verdicts(result)) == ["seeds", "test", "when"]


def test_a_second_sweep_has_to_beat_the_champion_on_the_same_test_data(folder: Path) -> None:
    """The champion's own model is scored: it equals the score of its trial, taken by its own sweep."""
    gates = "better_than: champion, margin: 0.001"
    first = sweep("first", f"{{name: trees, {gates}}}")
    assert first.registered is not None
    theirs = first.best_trial.metrics["test_rmse"]

    worse = sweep("worse", f"{{name: trees, {gates}}}", BAD)
    assert worse.registered is None
    verdict = verdicts(worse)["better_than"]
    ours = worse.best_trial.metrics["test_rmse"]
    assert verdict.by == pytest.approx(theirs - ours - 0.001)
    short = f"{ours - theirs + 0.001:.3g} short of the margin 0.001"
    assert verdict.text == f"test_rmse {ours:.6g} against {theirs:.6g} of version 1, {short}"
    assert worse.not_registered == f"gate better_than: trial {verdict.trial}: {verdict.text}"
    assert versions() == [(1, ["champion"])]

    far = sweep("far", "{name: trees, better_than: 1, margin: 500}", BAD)  # a number may be named, too
    assert verdicts(far)["better_than"].text.endswith("short of the margin 500")
    none = sweep("none", "{name: trees, better_than: 7}")
    assert none.not_registered.endswith("model trees has no version 7 to be compared with")


def test_a_better_sweep_takes_the_champions_place(folder: Path) -> None:
    sweep("first", "{name: trees}", BAD)
    result = sweep("better", "{name: trees, better_than: champion}")
    assert result.registered is not None
    assert " beats version 1 (" in verdicts(result)["better_than"].text
    assert versions() == [(1, []), (2, ["champion"])]


@pytest.mark.slow
def test_a_decision_stands_until_the_section_or_the_trials_change(folder: Path) -> None:
    sweep("first", "{name: trees}")
    refused = sweep("worse", "{name: trees, better_than: champion}", BAD)
    again = run("worse.yaml")
    assert (again.stop, again.registered, again.not_registered) == (None, None, refused.not_registered)
    assert again.decision == refused.decision
    changed = run("worse.yaml", overrides=["register.better_than=null"])
    assert changed.registered is not None
    assert changed.registered.version == 2
    assert run("worse.yaml", overrides=["register.better_than=null"]).not_registered.endswith("trees version 2")


def test_without_test_data_the_scores_on_record_decide_where_they_can_be_compared(folder: Path) -> None:
    first = sweep("first", "{name: trees}", BAD, test="")
    result = sweep("better", "{name: trees, better_than: champion}", test="")
    assert result.registered is not None
    shown = f"rmse (validation) {result.best_value:.6g} beats version 1 ({first.best_value:.6g})"
    assert verdicts(result)["better_than"].text.startswith(shown)


@pytest.mark.slow
def test_without_test_data_other_data_or_validation_cannot_be_compared(folder: Path) -> None:
    sweep("first", "{name: trees}", BAD, test="")
    text = Path("first.yaml").read_text().replace("name: first", "name: other")
    text = text.replace("{name: trees}", "{name: trees, better_than: champion}")
    for name, old, new, said in (
        ("cv", "folds: 3", "folds: 4", "was validated in another way"),
        ("data", "load_diabetes", "load_linnerud", "saw other data"),
        ("metric", "{name: rmse}", "{name: mae}", "was ranked by rmse, not by mae"),
    ):
        changed = text.replace(old, new).replace("name: other", f"name: {name}")
        Path(f"{name}.yaml").write_text(changed)
        result = run(f"{name}.yaml")
        assert result.registered is None
        assert said in result.not_registered, name
        assert "give objective.sklearn.data.test" in result.not_registered
    assert versions() == [(1, ["champion"])]


@pytest.mark.slow
def test_a_function_judges_the_kept_models_of_a_python_objective_each_once(folder: Path) -> None:
    register = '{name: m, top: 3, test: "gated:judge", better_than: champion, margin: 0.05}'
    first = python("first", register)
    assert first.registered is not None
    assert first.best_trial.metrics["test_loss"] == 0.2
    assert first.best_trial.metrics["test_other"] == 1.0
    assert sorted(judged()) == [0.2, 0.3, 0.4]

    worse = python("worse", register, [0.19, 0.6])
    assert worse.not_registered == (
        "gate better_than: trial 0: test_loss 0.19 against 0.2 of version 1, 0.04 short of the margin 0.05"
    )
    assert sorted(judged()[3:]) == [0.19, 0.2, 0.6]  # the champion's model is judged by the same function
    assert python("better", register, [0.1]).registered is not None
    assert versions() == [(1, []), (2, ["champion"])]


@pytest.mark.slow
def test_a_function_may_return_a_number_and_its_faults_are_told(folder: Path) -> None:
    assert python("number", '{name: m, test: "gated:number"}').best_trial.metrics["test_loss"] == 0.25
    broken = python("broken", '{name: b, top: 2, test: "gated:breaks"}')
    assert "gate test: " in broken.not_registered
    assert "cannot be scored on the test data: exception ValueError: no such column" in broken.not_registered
    for entry, said in (("gated:jugde", "did you mean 'judge'"), ("gated:two", "must take one argument, the model")):
        with pytest.raises(ConfigError, match=said):
            python("nothing", f'{{name: b, test: "{entry}"}}')


@pytest.mark.slow
def test_the_test_data_picks_the_winner_only_where_nobody_is_run_again(folder: Path) -> None:
    """Here the test score says the opposite of validation."""
    by_seeds = python("seeds", '{name: m, top: 3, test: "gated:reverse", seeds: 2}')
    assert by_seeds.decision is not None
    assert (by_seeds.decision.winner, by_seeds.decision.picked_by) == (1, "the mean loss of 2 seeds")
    by_test = python("test", '{name: m, top: 3, test: "gated:reverse"}')
    assert by_test.decision is not None
    assert (by_test.decision.winner, by_test.decision.picked_by) == (2, "loss on the held-out test data")
    by_validation = python("validation", "{name: m, top: 3}")
    assert by_validation.decision is not None
    assert (by_validation.decision.winner, by_validation.decision.picked_by) == (1, "loss by validation")


def test_a_champion_that_is_a_pickle_is_not_loaded_and_nobody_beats_it(folder: Path) -> None:
    register = '{name: m, test: "gated:judge", better_than: champion}'
    python("first", register, [0.4])
    with open_store(URI) as store:
        [version] = store.registry.versions()
        as_pickle(store, version)
    result = python("better", register, [0.1])
    assert result.registered is None
    assert "version 1 (the champion) cannot be compared with" in result.not_registered
    assert "is a cloudpickle, which runs the code it holds when it is loaded" in result.not_registered


def as_pickle(store: Store, version: ModelVersion) -> None:
    """A second version beside it, with the same run's model written anew as a pickle, that takes the alias."""
    from sklearn.dummy import DummyRegressor

    from trackers.records import RunUpdated

    class Odd(DummyRegressor):
        """A type that skops does not hold."""

    run = store.tracker.get(version.run_id or "")
    model, files = ArtifactFolder().save_model(
        run.artifact_uri, Odd().fit([[0.0]], [0.4]), name="model", run_id=run.id, allow_pickle=True
    )
    gone = RunUpdated(run.id, removed_artifacts=["model/"])
    store.tracker.record([gone, RunUpdated(run.id, artifacts=files, models=[model])])


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(("fault", "said"), [("altered", "missing or altered"), ("foreign", "not in this store")])
def test_a_champion_that_nothing_vouches_for_is_not_compared_with(folder: Path, fault: str, said: str) -> None:
    register = '{name: m, test: "gated:judge", better_than: champion}'
    python("first", register, [0.4])
    if fault == "altered":
        [path] = folder.glob("mlruns/*/*/artifacts/model/model.skops")
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    else:
        with open_store(URI) as store:
            made = NewVersion("m", "/elsewhere", "f" * 32, "key", aliases=("champion",))
            store.registry.register(made)
    result = python("better", register, [0.1])
    assert result.registered is None
    assert said in result.not_registered


class Restless:
    """A registry in which somebody else takes the alias just before the first registration."""

    def __init__(self, registry: Registry, first: NewVersion) -> None:
        self._registry = registry
        self._others = [first]

    def register(self, version: NewVersion) -> ModelVersion:
        if self._others:
            self._registry.register(self._others.pop())
        return self._registry.register(version)

    def __getattr__(self, name: str) -> object:
        return getattr(self._registry, name)


@pytest.mark.slow
@pytest.mark.parametrize(("other", "wins"), [(0.05, False), (0.3, True)])
def test_who_took_the_alias_meanwhile_is_compared_with_too(folder: Path, other: float, wins: bool) -> None:
    register = '{name: m, test: "gated:judge", better_than: champion}'
    python("first", register, [0.4])
    python("rival", '{name: rival, test: "gated:judge"}', [other])
    result = python("late", '{name: other, test: "gated:judge"}', [0.1])  # done, and registered elsewhere
    config = read_sweep("late.yaml", [f"register={register}"])
    with open_store(URI) as store:
        [rival] = store.registry.versions("rival")
        taken = NewVersion(
            "m", rival.source, rival.run_id, "rival", rival.model_id, aliases=("champion",), who="somebody else"
        )
        parent = store.tracker.get(result.run_id)
        registry = cast(Registry, Restless(store.registry, taken))
        finals = Finals(
            parts_of(config, folder),
            replace(store, registry=registry),
            parent,
            store.tracker,
            records_of(parent, "loss"),
            "me",
        )
        version, decision = finals.decide()
        holder = store.registry.get("m", "champion")
    assert (version is not None) is wins
    assert decision.verdicts[-1].wanted.startswith(f"test_loss better than {other:g} of version 2")
    assert holder.version == (3 if wins else 2)
    assert [score for score in judged() if score == 0.1] == [0.1]  # nobody was judged twice


def test_a_file_that_asks_for_nonsense_is_refused_before_anything_runs(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"first.yaml:16:39: error: register.when: 'rsme' is not measured; .*'rmse'"):
        sweep("first", "{name: trees, top: 3, when: rsme < 3}")
    with pytest.raises(ConfigError, match=r"register\.when: here an operator is needed"):
        sweep("first", '{name: trees, when: "rmse"}')
    assert not Path("mlflow.db").exists()
