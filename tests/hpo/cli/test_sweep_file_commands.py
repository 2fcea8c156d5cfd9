"""`hpo check`, `hpo init` and `hpo schema`."""

import importlib.util
import json
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.config.conversion import config_hash
from hpo.config.reading import read_sweep, read_sweep_text

GOOD = 'name: a\nmetric: {name: loss}\nobjective: {python: "a:b"}\nparameters: {x: [1, 2]}\n'


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_check_says_in_a_line_what_a_good_file_does() -> None:
    Path("a.yaml").write_text(GOOD)
    Path("b.yaml").write_text(GOOD + "budget: {n_trials: 1}\nparallel: {n_jobs: -1, window: 4}\nengine: hyperopt\n")
    done = run("check", "a.yaml", "b.yaml")
    assert done.exit_code == 0
    assert done.stdout == (
        "a.yaml: ok - 1 parameter, 50 trials, 1 job, engine auto, minimize loss\n"
        "b.yaml: ok - 1 parameter, 1 trial, a job for each core, hyperopt tpe, minimize loss\n"
    )
    assert done.stderr == ""


def test_check_reports_every_bad_file_and_ends_with_2() -> None:
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text(GOOD + "seed: 1\nn_jobs: 2\n")
    done = run("check", "bad.yaml", "good.yaml", "none.yaml")
    assert done.exit_code == 2
    assert done.stdout.startswith("good.yaml: ok - ")
    assert done.stderr.splitlines() == [
        "bad.yaml:5:1: error: seed: unknown key 'seed' - write engine.seed",
        "bad.yaml:6:1: error: n_jobs: unknown key 'n_jobs' - there is parallel.n_jobs",
        "2 errors in bad.yaml; nothing was run",
        "none.yaml: error: no such file",
        "1 error in none.yaml; nothing was run",
    ]


def test_check_reads_standard_input() -> None:
    done = run("check", "-", stdin=GOOD)
    assert done.stdout == "-: ok - 1 parameter, 50 trials, 1 job, engine auto, minimize loss\n"


def test_check_print_shows_yaml_that_reads_back() -> None:
    Path("a.yaml").write_text(GOOD)
    done = run("check", "--print", "a.yaml")
    assert done.stdout.splitlines()[:3] == [
        "---",
        "# a.yaml: ok - 1 parameter, 50 trials, 1 job, engine auto, minimize loss",
        "version: 1",
    ]
    assert "budget: {n_trials: 50, max_failures: 10}" in done.stdout
    assert "parallel: {backend: loky, n_jobs: 1, window: 1, inner_threads: 1}" in done.stdout
    assert config_hash(read_sweep_text(done.stdout)) == config_hash(read_sweep("a.yaml"))


def test_check_without_a_file_is_a_usage_error() -> None:
    assert run("check").exit_code == 2


@pytest.mark.parametrize("template", ["sklearn", "python", "command"])
def test_init_writes_a_file_that_check_takes(template: str) -> None:
    done = run("init", "my sweep.yaml", "-t", template)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "wrote my sweep.yaml"
    assert done.stdout.splitlines()[-1] == "next: hpo run 'my sweep.yaml'"
    assert read_sweep("my sweep.yaml").name == "my-sweep"
    assert run("check", "my sweep.yaml").exit_code == 0


@pytest.mark.parametrize("template", ["sklearn", "python"])
def test_the_lines_that_init_leaves_commented_out_are_right_too(template: str) -> None:
    run("init", "-t", template)
    lines = Path("sweep.yaml").read_text().splitlines()
    wanted = [line.removeprefix("# ") if line.startswith(("# tracker:", "# register:")) else line for line in lines]
    assert wanted != lines
    config = read_sweep_text("\n".join(wanted))
    assert config.registration is not None
    assert config.registration.name == "sweep"


def test_init_without_a_name_writes_sweep_yaml_for_scikit_learn() -> None:
    assert run("init").stdout == "wrote sweep.yaml\nnext: hpo run sweep.yaml\n"
    assert read_sweep("sweep.yaml").objective.sklearn is not None
    assert not Path("objective.py").exists()


def test_init_keeps_a_file_that_exists() -> None:
    Path("sweep.yaml").write_text("mine")
    done = run("init")
    assert done.exit_code == 2
    assert "sweep.yaml exists and is kept; name another file, or replace it with --force" in done.stderr
    assert Path("sweep.yaml").read_text() == "mine"
    assert run("init", "--force").exit_code == 0
    assert read_sweep("sweep.yaml").name == "sweep"


def test_init_keeps_an_objective_that_exists() -> None:
    Path("objective.py").write_text("mine")
    assert run("init", "-t", "python", "--force").exit_code == 0
    assert Path("objective.py").read_text() == "mine"


def test_the_program_that_init_writes_runs_as_it_is() -> None:
    assert run("init", "-t", "command").stdout.splitlines()[1] == "wrote train.py"
    done = run("run", "sweep.yaml", "-n", "3", "-S", "parallel={backend: serial}")
    assert done.exit_code == 0, done.stderr
    assert "3 trials (3 COMPLETE)" in done.stdout


def test_init_into_a_folder_that_is_not_there_says_so() -> None:
    done = run("init", "none/sweep.yaml")
    assert done.exit_code == 2
    assert "cannot write none/sweep.yaml: No such file or directory" in done.stderr


def test_the_objective_that_init_writes_takes_the_params_of_its_sweep(tmp_path: Path) -> None:
    run("init", "-t", "python")
    config = read_sweep("sweep.yaml")
    module, _, name = config.objective.python.partition(":")
    spec = importlib.util.spec_from_file_location(module, tmp_path / f"{module}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)

    class Reports:
        def __init__(self) -> None:
            self.steps: list[int] = []

        def report(self, step: int, value: float) -> None:
            self.steps.append(step)

    trial = Reports()
    params = {"x": 1.0, "width": 0.5, "shape": "square", "corner": 1, "steps": 5}
    assert set(params) == set(config.parameters)
    assert getattr(loaded, name)(params, trial) == {"loss": 0.1, "distance": 0.0}
    assert trial.steps == [0, 1, 2, 3, 4]


def test_schema_prints_the_json_schema_that_is_shipped() -> None:
    shipped = (files("hpo") / "schema" / "sweep-v1.json").read_text(encoding="utf-8")
    assert run("schema").stdout == shipped
    assert json.loads(shipped)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
