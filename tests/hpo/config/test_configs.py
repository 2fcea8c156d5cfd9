"""The example files, the JSON Schema and the tables that must agree with the rest."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from hpo.config.conversion import canonical, space_of
from hpo.config.fields import Section
from hpo.config.json_schema import json_schema
from hpo.config.reading import read_sweep, read_sweep_text
from hpo.config.rules import ERROR_METRICS, SCORERS
from hpo.config.schema import SAMPLERS
from hpo.errors import ConfigError
from hpo.samplers.names import sampler_names

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
SHIPPED = json.loads((files("hpo") / "schema" / "sweep-v1.json").read_text(encoding="utf-8"))
HEAD = 'name: a\nmetric: {name: loss}\nobjective: {python: "a:b"}\n'


def test_there_are_examples() -> None:
    assert {"breast-cancer", "diabetes", "digits"} <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_example_reads_and_has_a_space(path: Path) -> None:
    config = read_sweep(path)
    assert config.name == path.stem
    assert config.description
    assert len(space_of(config).parameters) == len(config.parameters)
    assert json.loads(canonical(config))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_example_fits_the_json_schema_it_names(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=../hpo/schema/sweep-v1.json\n")
    assert (path.parent / "../hpo/schema/sweep-v1.json").exists()
    jsonschema.Draft202012Validator(SHIPPED).validate(YAML(typ="safe", pure=True).load(text))


def test_the_shipped_json_schema_is_what_the_code_makes() -> None:
    assert json_schema() == SHIPPED, "renew it: hpo schema > new.json, then move it to hpo/schema/sweep-v1.json"


def test_the_json_schema_is_a_json_schema_and_describes_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SHIPPED)
    for part in [SHIPPED, *(part for part in SHIPPED["$defs"].values() if "properties" in part)]:
        assert part["additionalProperties"] is False
        assert part["description"]
        for key, inner in part["properties"].items():
            assert inner.get("description"), key


@pytest.mark.parametrize(
    "end",
    [
        "parameters: {x: {type: int, low: 1}}", "parameters: {x: {min: 1}}", "parameters: {}", "parameters: {'a#': 1}",
        "parameters: {x: [1]}\nbudget: {n_trials: 0}", "parameters: {x: [1]}\nengine: {sampler: nsga3}",
        "parameters: {x: [1]}\nparallel: {window: 0}", "parameters: {x: [1]}\nbudget: {timeout: 10 minutes}",
        "parameters: {x: [1]}\ntags: {a: 1}", "parameters: {x: [1]}\nseed: 1", "parameters: {x: [[1]]}",
        "parameters: {x: {choices: [1], when: {y: []}}}", "parameters: {x: [1]}\nengine: {seed: -1}",
    ],
)  # fmt: skip
def test_the_json_schema_refuses_what_reading_refuses(end: str) -> None:
    with pytest.raises(ConfigError):
        read_sweep_text(HEAD + end)
    document = YAML(typ="safe", pure=True).load(HEAD + end)
    assert not jsonschema.Draft202012Validator(SHIPPED).is_valid(document)


@pytest.mark.parametrize(
    "end",
    [
        "parameters: {x: {type: int, low: 1, high: 1e3}}", "parameters: {x: 1, y: null, z: [a, 1, 1.5, null, true]}",
        "parameters: {x: [1]}\nengine: hyperopt", "parameters: {x: [1]}\nparallel: {window: free}",
        "parameters: {x: [1]}\nbudget: {timeout: 1h30m, patience: null}", "parameters: {x: [1]}\nregister: null",
        "parameters: {x: [1], y: {choices: [1], when: {x: 1}}}",
        "parameters: {x: [1]}\nengine: {options: {a: {b: [1]}}}", "parameters: {x/y z: [1]}",
    ],
)  # fmt: skip
def test_the_json_schema_takes_what_reading_takes(end: str) -> None:
    read_sweep_text(HEAD + end)
    jsonschema.Draft202012Validator(SHIPPED).validate(YAML(typ="safe", pure=True).load(HEAD + end))


def test_every_section_is_fixed_once_read() -> None:
    config = read_sweep_text(f"{HEAD}parameters: {{x: [1]}}")
    with pytest.raises(ValueError, match="frozen"):
        config.budget.n_trials = 3
    assert isinstance(config, Section)


@pytest.mark.parametrize("engine", SAMPLERS)
def test_the_samplers_of_the_schema_are_those_there_are(engine: str) -> None:
    assert list(SAMPLERS[engine]) == sampler_names(engine)


def test_the_scorers_known_to_be_better_when_lower_are_those_of_the_objective() -> None:
    from hpo.objectives.scoring import ERRORS

    assert set(ERRORS) == ERROR_METRICS


def test_the_scorers_known_to_be_better_when_higher_are_scikit_learns() -> None:
    from sklearn.metrics import get_scorer, get_scorer_names

    known = {name for name in get_scorer_names() if not name.startswith(("neg_", "d2_"))}
    assert known | {"positive_likelihood_ratio"} >= SCORERS
    assert all(get_scorer(name)._sign == 1 for name in SCORERS & known)


def test_reading_imports_no_heavy_library_and_nothing_that_a_file_names(tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    path = tmp_path / "x.yaml"
    path.write_text('name: a\nmetric: {name: loss}\nobjective: {python: "trap:objective"}\nparameters: {x: [1]}\n')
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from hpo.config.reading import read_sweep; from hpo.config.conversion import config_hash, space_of;"
        "config = read_sweep('x.yaml'); config_hash(config); space_of(config);"
        "heavy = {'trap', 'sklearn', 'optuna', 'hyperopt', 'pandas', 'numpy', 'mlflow', 'sqlalchemy', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
