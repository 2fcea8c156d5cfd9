"""`--require-register`, and registering by hand where a file has gates: what is said, and the exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.opening import open_store

Hpo = Callable[..., Result]

OBJECTIVE = """
from sklearn.dummy import DummyRegressor

def objective(params, trial):
    trial.log_model(DummyRegressor(strategy="constant", constant=params["x"]).fit([[0.0]], [0.0]))
    return params["x"]

def bare(params, trial):
    return params["x"]

def fails(params, trial):
    raise ValueError("no luck")

def judge(model):
    return float(model.predict([[0.0]])[0])
"""
SWEEP = """
name: gated
metric: {name: loss}
objective: {python: "cli_gated:objective"}
parameters: {x: [0.3, 0.2, 0.4]}
engine: {name: optuna, sampler: grid}
budget: {n_trials: 3}
parallel: {backend: serial}
register: {name: m, top: 3, when: "loss < 0.35", test: "cli_gated:judge", better_than: champion, margin: 0.05}
"""
REFUSED = ("-S", "register.when=loss < 0.1")


@pytest.fixture
def hpo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hpo:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cli_gated.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return lambda *args: CliRunner().invoke(main, list(args))


def versions() -> list[tuple[int, list[str]]]:
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        return [(version.version, list(version.aliases)) for version in store.registry.versions()]


def test_a_refusal_is_told_and_is_exit_4_where_registering_is_required(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml", *REFUSED)
    assert done.exit_code == 0, done.output
    said = "not registered: gate when: trial 1: loss 0.2 is 0.1 above 0.1; nor is one of the other 2 candidates left"
    assert said in done.stdout.splitlines()
    required = hpo("run", "sweep.yaml", *REFUSED, "--require-register")
    assert (required.exit_code, said in required.stdout) == (4, True)
    assert hpo("resume", "gated", "--require-register").exit_code == 4
    assert versions() == []


def test_what_is_registered_now_or_before_fulfils_the_requirement(hpo: Hpo) -> None:
    first = hpo("run", "sweep.yaml", "--require-register")
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[2].startswith("registered m version 1, alias champion: trial 1 (models:/m/1): model m has no champion")
    assert lines[3] == "  trial 1: the best of 3 finalists by loss on the held-out test data, which no trial saw"
    assert lines[4].startswith("  gate when: loss 0.2, wanted loss < 0.35")
    again = hpo("run", "sweep.yaml", "--require-register")
    assert (again.exit_code, "registered before as m version 1" in again.stdout) == (0, True)


def test_nothing_to_register_is_exit_1_and_worse_things_come_first(hpo: Hpo) -> None:
    bare = hpo("run", "sweep.yaml", "--new", "-S", "objective.python=cli_gated:bare", "--require-register")
    assert (bare.exit_code, "it keeps no model" in bare.stdout) == (4, True)  # nobody could be judged
    unjudged = ("-S", "register={name: m}", "-S", "objective.python=cli_gated:bare")
    nothing = hpo("run", "sweep.yaml", "--new", *unjudged, "--require-register")
    assert (nothing.exit_code, "keeps no model, so there is nothing to register" in nothing.stdout) == (1, True)
    failing = ("-S", "objective.python=cli_gated:fails")
    assert hpo("run", "sweep.yaml", "--new", *failing, "--require-register").exit_code == 1
    stopped = hpo("run", "sweep.yaml", "--new", *failing, "-S", "budget.max_failures=1", "--require-register")
    assert stopped.exit_code == 3


def test_requiring_what_the_file_does_not_ask_for_is_a_mistake_of_usage(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml", "-S", "register=null", "--require-register")
    assert (done.exit_code, "has no register: section" in done.stderr) == (2, True)
    assert not Path("mlflow.db").exists()


def test_programs_get_every_verdict(hpo: Hpo) -> None:
    data = json.loads(hpo("run", "sweep.yaml", "-f", "json").stdout)
    assert data["registered"] == {"name": "m", "version": 1, "aliases": ["champion"]}
    promotion = data["promotion"]
    assert (promotion["winner"], promotion["candidates"], promotion["refused"]) == (1, 3, None)
    assert [(gate["gate"], gate["passed"], gate["trial"]) for gate in promotion["gates"]] == [
        ("when", True, 1), ("test", True, 1), ("better_than", True, 1),
    ]  # fmt: skip
    [fallen] = promotion["out"]
    assert (fallen["gate"], fallen["trial"], fallen["got"]) == ("when", 2, "loss 0.4")
    assert fallen["by"] == pytest.approx(-0.05)
    shown = json.loads(hpo("models", "m", "-f", "json").stdout)
    assert "Gate test passed: test_loss 0.2 on the held-out test data." in shown[0]["description"]


def test_a_sweep_registered_by_hand_is_asked_anew(hpo: Hpo) -> None:
    assert hpo("run", "sweep.yaml").exit_code == 0
    worse = ("-S", "name=worse", "-S", "parameters.x=[0.25, 0.19]", "-S", "budget.n_trials=2")
    assert "gate better_than: trial 1: test_loss 0.19 against 0.2" in hpo("run", "sweep.yaml", *worse).stdout
    refused = hpo("register", "worse")
    assert (refused.exit_code, refused.stdout.startswith("not registered: gate better_than: trial 1")) == (1, True)
    assert hpo("register", "worse", "--require-register").exit_code == 4
    with open_store("sqlite:///mlflow.db") as store:
        store.registry.set_alias("m", "champion", None, who="me")
    made = hpo("register", "worse", "--require-register")
    assert (made.exit_code, made.stdout.startswith("registered m version 2, alias champion: trial 1")) == (0, True)
    assert hpo("register", "worse").stdout.startswith("registered m version 2")
    other = json.loads(hpo("register", "worse", "--name", "other", "--alias", "prod", "-f", "json").stdout)
    assert (other["name"], other["aliases"], other["promotion"]["refused"]) == ("other", ["prod"], None)
    assert versions() == [(1, []), (2, ["champion"]), (1, ["prod"])]


def test_a_trial_registered_by_hand_says_which_gates_it_has_not_passed(hpo: Hpo) -> None:
    assert hpo("run", "sweep.yaml").exit_code == 0
    done = hpo("register", "gated#2", "--why", "a favour")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("registered m version 2\n")
    said = [line for line in done.stderr.splitlines() if line.startswith("warning: registered without asking gate")]
    assert [line.split()[5].rstrip(",") for line in said] == ["when", "test", "better_than"]
    assert said[0].endswith("which is not passed: loss 0.4 is 0.05 above 0.35")
    assert versions() == [(1, ["champion"]), (2, [])]
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        version = store.registry.get("m", 2)
        assert "Gate when not passed: loss 0.4 is 0.05 above 0.35." in version.description
        assert [verdict["passed"] for verdict in json.loads(version.tags["hpo.gates"])] == [False] * 3
        assert store.registry.history("m")[-1].why == "a favour; gates not passed: when, test, better_than"


def test_force_registers_the_best_by_validation_whatever_the_gates_say(hpo: Hpo) -> None:
    assert hpo("run", "sweep.yaml", *REFUSED).exit_code == 0
    assert versions() == []
    done = hpo("register", "gated", "--force", "--alias", "champion", "-f", "json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert (data["name"], data["aliases"]) == ("m", ["champion"])
    assert {gate["gate"]: gate["passed"] for gate in data["gates"]} == {
        "when": False, "test": False, "better_than": True,
    }  # fmt: skip


def test_a_file_without_gates_is_registered_from_as_ever(hpo: Hpo) -> None:
    assert hpo("run", "sweep.yaml", "-S", "register=null").exit_code == 0
    done = hpo("register", "gated", "--name", "plain", "--alias", "champion")
    assert done.stdout.startswith("registered plain version 1, alias champion\nTrial 1 (")
    assert hpo("register", "gated", "--name", "plain", "-f", "json").exit_code == 0
