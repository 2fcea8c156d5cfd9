"""Every class of mistake: its place, to the column, and its words."""
# ruff: noqa: E501  # the tables read best with one case a line

import pytest

from hpo.config.reading import SweepFileError, read_sweep_text
from hpo.gates import when_findings

PYTHON = """\
name: a
metric: {name: loss}
objective: {python: "train:objective"}
parameters: {x: [1, 2]}
"""
SKLEARN = """\
name: a
metric: {name: r2, goal: maximize}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_iris}
    estimator: sklearn.svm.SVC
parameters: {x: [1, 2]}
"""
BAD = """\
version: 1
name: demo
direction: maximize
metric: {name: roc_auc, goal: maximise}
objective:
  python: examples.toy.objective
paramters:
  x: 1
parameters:
  lr:    {type: float, low: 1e-1, high: 1e-5, log: true}
  depth: {type: int, min: 2, high: 9}
  gamma: {low: 0, high: 1}
  alpha: {type: float, low: "0.1", high: 1, when: {dept: 3}}
budget: {n_trails: 40, timeout: 10 minutes}
engine: {name: optuna, sampler: tpee}
parallel: {n_jobs: 2, backend: loki}
"""


def errors_of(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as raised:
        read_sweep_text(text, "f")
    return str(raised.value).splitlines()


def test_all_mistakes_of_a_file_are_reported_at_once_in_the_order_they_stand() -> None:
    assert errors_of(BAD) == [
        "f:3:1: error: direction: unknown key 'direction' - write metric.goal",
        "f:4:31: error: metric.goal: 'maximise' is not one of minimize, maximize - did you mean 'maximize'?",
        "f:6:11: error: objective.python: must be module:function, such as train:objective, got"
        " 'examples.toy.objective' - did you mean 'examples.toy:objective'?",
        "f:7:1: error: paramters: unknown key 'paramters' - did you mean 'parameters'?",
        "f:10:29: error: parameters.lr.low: low must be below high, got low 0.1 and high 1e-05",
        "f:11:22: error: parameters.depth.min: unknown key 'min' - did you mean 'low'?",
        "f:12:3: error: parameters.gamma: missing key 'type': write type: float or type: int",
        "f:13:29: error: parameters.alpha.low: must be a number, got '0.1': remove the quotes",
        "f:14:10: error: budget.n_trails: unknown key 'n_trails' - did you mean 'n_trials'?",
        "f:14:33: error: budget.timeout: cannot read '10 minutes' as a time: write 10m",
        "f:15:33: error: engine.sampler: optuna has no sampler 'tpee'; it has tpe, gp, cmaes, qmc, nsga2, random, grid"
        " - did you mean 'tpe'?",
        "f:16:32: error: parallel.backend: 'loki' is not one of loky, threading, serial, dask, ray, joblib:NAME - did you mean 'loky'?",
        "12 errors in f; nothing was run",
    ]


def test_rules_between_sections_are_judged_even_where_other_sections_are_wrong() -> None:
    text = SKLEARN.replace("{x: [1, 2]}", "{x: [1, 2], y: {choices: [1], when: {z: 1}}, w: {low: 1}}")
    lines = errors_of(text.replace("estimator", "scoring: [accuracy]\n    estimator") + "budget: {n_trials: 0}\n")
    assert lines == [
        "f:2:16: error: metric.name: 'r2' is not among objective.sklearn.scoring: accuracy",
        "f:8:50: error: parameters.y.when.z: no parameter 'z'",
        "f:8:58: error: parameters.w: missing key 'high'",
        "f:8:58: error: parameters.w: missing key 'type': write type: float or type: int",
        "f:9:20: error: budget.n_trials: must be at least 1, got 0",
        "5 errors in f; nothing was run",
    ]


def test_a_condition_on_a_parameter_that_is_wrong_itself_is_not_held_against_it() -> None:
    text = PYTHON.replace("{x: [1, 2]}", "{x: {type: int}, y: {choices: [1], when: {x: 1}}}")
    assert [line.split(": ")[2] for line in errors_of(text)[:-1]] == ["parameters.x", "parameters.x"]


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("version: 2", "5:10: error: version: must be 1, the version of the format this program reads, got 2"),
        ("version: '1'", "5:10: error: version: must be 1, the version of the format this program reads, got '1'"),
        ("tags: {a: 1.10}", '5:11: error: tags.a: must be text, got 1.10: write "1.10" in quotes'),
        ("tags: yes", "5:7: error: tags: must be a mapping, got 'yes'"),
        ("tags: {a b: x, 'a#': y}", None),
        ("description: [a]", "5:14: error: description: must be text, got a list"),
        ("experiment: ''", "5:13: error: experiment: must not be empty"),
        ("budget: 60", "5:9: error: budget: must be a mapping, got 60: write budget: {n_trials: 60}"),
        ("budget:", "5:8: error: budget: must be a mapping, got nothing: give it keys or remove it"),
        ("budget: [1]", "5:9: error: budget: must be a mapping, got a list"),
        ("budget: {n_trials: '5'}", "5:20: error: budget.n_trials: must be a whole number, got '5': remove the quotes"),
        ("budget: {n_trials: 2.5}", "5:20: error: budget.n_trials: must be a whole number, got 2.5"),
        ("budget: {n_trials: true}", "5:20: error: budget.n_trials: must be a whole number, got true"),
        ("budget: {n_trials: many}", "5:20: error: budget.n_trials: must be a whole number, got 'many'"),
        ("budget: {n_trials: 1_000}", "5:20: error: budget.n_trials: must be a whole number, got '1_000': write 1000"),
        ("budget: {n_trials: 0}", "5:20: error: budget.n_trials: must be at least 1, got 0"),
        ("budget: {n_trials: 10000001}", "5:20: error: budget.n_trials: must be at most 10000000, got 10000001"),
        ("budget: {n_trials: .nan}", "5:20: error: budget.n_trials: must be a whole number, got .nan"),
        ("budget: {timeout: 0}", "5:19: error: budget.timeout: must be above 0, got 0"),
        ("budget: {timeout: 0s}", "5:19: error: budget.timeout: must be above 0, got '0s'"),
        ("budget: {timeout: .inf}", "5:19: error: budget.timeout: must be finite, got .inf"),
        ("budget: {timeout: 1 h}", "5:19: error: budget.timeout: cannot read '1 h' as a time: write 1h"),
        (
            "budget: {timeout: soon}",
            "5:19: error: budget.timeout: cannot read 'soon' as a time: write seconds, or 90s, 10m, 1h30m",
        ),
        ("budget: {patience: 0}", "5:20: error: budget.patience: must be at least 1, got 0"),
        ("budget: {max_failures: 0}", "5:24: error: budget.max_failures: must be at least 1, got 0"),
        ("parallel: 4", "5:11: error: parallel: must be a mapping, got 4: write parallel: {n_jobs: 4}"),
        (
            "parallel: {n_jobs: 0}",
            "5:20: error: parallel.n_jobs: must be at least 1, or -1 for one job a core, got 0",
        ),
        ("parallel: {n_jobs: -2}", "5:20: error: parallel.n_jobs: must be at least -1, got -2"),
        (
            "parallel: {n_jobs: -1}",
            "5:20: error: parallel.n_jobs: -1 needs a window, or the trials would depend on the number of cores:"
            " add window: 8",
        ),
        (
            "parallel: {n_jobs: 4, window: 2}",
            "5:31: error: parallel.window: must be at least n_jobs = 4, got 2",
        ),
        ("parallel: {window: 0}", "5:20: error: parallel.window: must be at least 1, got 0"),
        (
            "parallel: {window: fre}",
            "5:20: error: parallel.window: must be a whole number or the word free, got 'fre'",
        ),
        (
            "parallel: {backend: spark}",
            "5:21: error: parallel.backend: 'spark' is not one of loky, threading, serial, dask, ray, joblib:NAME",
        ),
        (
            "parallel: {address: 'tcp://scheduler:8786'}",
            "5:12: error: parallel.address: is for dask and ray, and backend is loky",
        ),
        (
            "parallel: {backend: dask, listen: '10.0.0.5:97000'}",
            "5:35: error: parallel.listen: must be HOST or HOST:PORT of this machine, such as 10.0.0.5:9700, got "
            "'10.0.0.5:97000'",
        ),
        (
            "parallel: {backend: ray, register: joblibspark:register_spark}",
            "5:26: error: parallel.register: is for joblib:NAME, and backend is ray",
        ),
        (
            "parallel: {backend: processes}",
            "5:21: error: parallel.backend: 'processes' is not one of loky, threading, serial, dask, ray, joblib:NAME - did you mean 'loky'?",
        ),
        (
            "engine: hyperot",
            "5:9: error: engine: 'hyperot' is not one of auto, optuna, hyperopt - did you mean 'hyperopt'?",
        ),
        (
            "engine: Optuna",
            "5:9: error: engine: 'Optuna' is not one of auto, optuna, hyperopt - did you mean 'optuna'?",
        ),
        (
            "engine: {name: hyperopt, sampler: gp}",
            "5:35: error: engine.sampler: hyperopt has no sampler 'gp'; it has tpe, anneal, random, grid",
        ),
        (
            "engine: {sampler: Bayesian}",
            "5:19: error: engine.sampler: optuna has no sampler 'Bayesian'; it has tpe, gp, cmaes, qmc, nsga2, random, grid"
            " - did you mean 'tpe'?",
        ),
        ("engine: {seed: -1}", "5:16: error: engine.seed: must be at least 0, got -1"),
        ("engine: {seed: 4294967296}", "5:16: error: engine.seed: must be below 4294967296, got 4294967296"),
        ("engine: {options: {a: {b: [.nan]}}}", "5:20: error: engine.options.a: must be finite, got nan"),
        (
            "tracker: {log_models: true}",
            "5:23: error: tracker.log_models: 'true' is not one of best, all, none - did you mean 'best'?",
        ),
        ("tracker: {uri: ''}", "5:16: error: tracker.uri: must not be empty"),
        (
            "tracker: {uri: x, log_models: none}\nregister: {name: a}",
            "6:1: error: register: needs the models of trials, but tracker.log_models is none",
        ),
        (
            "register: {name: a/b}",
            "5:18: error: register.name: must be a name of letters, digits and . _ -, with single blanks between,"
            " got 'a/b'",
        ),
        ("register: {top: 3}", "5:1: error: register: missing key 'name'"),
        ("register: {name: a, top: 0}", "5:26: error: register.top: must be at least 1, got 0"),
        (
            "register: {name: a, alias: v3}",
            "5:28: error: register.alias: MLflow keeps 'v3' for itself: choose another alias",
        ),
        (
            "register: {name: a, alias: Latest}",
            "5:28: error: register.alias: MLflow keeps 'Latest' for itself: choose another alias",
        ),
        (
            "metrics: [{name: a}, {name: b}]",
            "5:1: error: metrics: give metric (one) or metrics (several), not both",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_the_way_out(extra: str, line: str | None) -> None:
    if line is None:
        line = (
            "5:16: error: tags.a#: the key must be a name of letters, digits and . : _ -, with single blanks or"
            " slashes between"
        )
    assert errors_of(PYTHON + extra) == [f"f:{line}", "1 error in f; nothing was run"]


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ("  x: {type: float, low: ^0, high: 1, log: true}", ["P.low: low must be above 0 on a log scale, got low 0"]),
        ("  x: {type: float, low: ^1, high: 1}", ["P.low: low must be below high, got low 1"]),
        ("  x: {type: int, high: 1, low: ^2}", ["P.low: low must be below high, got low 2"]),
        ("  x: {type: float, low: 0, high: 1, step: ^2}", ["P.step: step must be above 0 and at most high"]),
        ("  x: {type: int, low: 0, high: 1, step: ^0}", ["P.step: step must be above 0 and at most high"]),
        ("  x: {type: int, low: 1, high: 9, log: true, step: ^2}", ["P.step: step and log: true exclude"]),
        ("  x: {type: float, low: 0, high: 1, step: ^1e-300}", ["P.step: step is too small for this range"]),
        ("  x: {type: float, low: ^-1e308, high: 1e308}", ["P.low: high - low must be finite"]),
        ("  x: {type: float, low: ^-.inf, high: 1}", ["P.low: must be finite, got -.inf"]),
        ("  x: {type: float, low: ^'0.1', high: 1}", ["P.low: must be a number, got '0.1': remove the quotes"]),
        ("  x: {type: int, low: ^1.5, high: 3}", ["P.low: must be a whole number, got 1.5"]),
        ("  x: {type: int, low: 1, high: ^1e17}", ["P.high: must be at most 9007199254740992, got 1e17"]),
        ("  x: {type: float, low: 0, high: 1, log: ^yes}", ["P.log: must be true or false, got 'yes': YAML 1.2 reads yes as text, write true"]),
        ("  x: {type: float, low: 0, high: 1, log: ^'false'}", ["P.log: must be true or false, got 'false': remove the quotes"]),
        ("  x: {type: float, low: 0, high: 1, log: ^1}", ["P.log: must be true or false, got 1"]),
        ("  ^x: {type: float, low: 1}", ["P: missing key 'high'"]),
        ("  ^x: {}", ["P: missing key 'high'", "P: missing key 'low'", "P: missing key 'type'"]),
        ("  ^x: ", ["P: has no value: write null if that is the constant meant"]),
        ("  x: {type: ^loguniform, low: 1, high: 2}", ["P.type: 'loguniform' is not one of float, int - did you mean 'float', with 'log: true'?"]),
        ("  x: {type: ^integer, low: 1, high: 2}", ["P.type: 'integer' is not one of float, int - did you mean 'int'?"]),
        ("  x: {type: ^flot, low: 1, high: 2}", ["P.type: 'flot' is not one of float, int - did you mean 'float'?"]),
        ("  x: {type: ^[int], low: 1, high: 2}", ["P.type: must be one of float, int, got a list"]),
        ("  x: {^type: categorical, choices: [1]}", ["P.type: unknown key 'type' - a choice has no type: remove it"]),
        ("  x: {^min: 0, ^max: 1, type: float}", ["P.min: unknown key 'min' - did you mean 'low'?", "P.max: unknown key 'max' - did you mean 'high'?"]),
        ("  x: {^values: [1, 2]}", ["P.values: unknown key 'values' - did you mean 'choices'?"]),
        ("  x: {^value: 3}", ["P.value: unknown key 'value' - a constant is written without braces"]),
        ("  x: {^distribution: uniform, low: 0, high: 1}", ["P.distribution: unknown key 'distribution' - write type: float or type: int, and log: true for a log scale"]),
        ("  x: {type: float, low: 0, high: 1, ^q: 1}", ["P.q: unknown key 'q' - did you mean 'step'?"]),
        ("  x: {type: float, low: 0, high: 1, ^hihg: 1}", ["P.hihg: unknown key 'hihg' - did you mean 'high'?"]),
        ("  x: {choices: [1], ^zzz: 1}", ["P.zzz: unknown key 'zzz' - known here: when, choices"]),
        ("  x: ^[]", ["P: must not be empty"]),
        ("  x: [1, ^1]", ["P[1]: choices must differ from each other, got 1 twice"]),
        ("  x: [a, 2, ^a]", ["P[2]: choices must differ from each other, got 'a' twice"]),
        ("  x: {choices: [a, b, ^a]}", ["P.choices[2]: choices must differ from each other"]),
        ("  x: [1, ^[2]]", ["P[1]: must be a single value (text, a number, true, false or null), got a list"]),
        ("  x: [1, ^.inf]", ["P[1]: must be finite, got inf"]),
        ("  x: ^.nan", ["P: must be finite, got nan"]),
        (f"  x: [a, ^{'b' * 6001}]", ["P[1]: must have at most 6000 characters, got 6001"]),
        ("  x: {choices: ^a}", ["P.choices: must be a list, got 'a'"]),
        ("  x: {choices: {a: ^svc}}", ["P.choices.a: must be a dotted path such as sklearn.svm.SVC, got 'svc'"]),
        ("  x: {^choices: {a: b.c}}", ["P.choices: names with dotted paths are for objective.sklearn"]),
        ("  x: {choices: [1], when: ^[y]}", ["P.when: must be a mapping, got a list"]),
        ("  x: {choices: [1], when: {y: ^[]}}", ["P.when.y: must not be empty"]),
        ("  x: {choices: [1], ^when: {x: 1}}", ["P.when: depends on itself"]),
        ("  x: {choices: [1], when: {^yy: 1}}", ["P.when.yy: no parameter 'yy' - did you mean 'y'?"]),
        ("  x: {choices: [1], when: {y: ^A}}", ["P.when.y: y is never 'A' - did you mean 'a'?"]),
        ("  x: {choices: [1], when: {y: [a, ^q]}}", ["P.when.y[1]: y is never 'q'; it is one of 'a', 3"]),
        ("  x: {choices: [1], when: {y: ^'3'}}", ["P.when.y: y is never '3' - did you mean 3?"]),
        ("  x: {choices: [1], when: {n: ^9}}", ["P.when.n: n is never 9; it goes from 1 to 3"]),
        ("  x: {choices: [1], when: {c: ^9}}", ["P.when.c: c is never 9; it is always 30"]),
        ("  x: {choices: [1], ^when: {v: 1}}", ["P.when: x and v wait for each other"]),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_with_its_place_and_the_way_out(spec: str, messages: list[str]) -> None:
    places = [place - count for count, place in enumerate(at for at, sign in enumerate(spec, 1) if sign == "^")]
    spec = spec.replace("^", "")  # it marks where each message points to
    others = "  y: [a, 3]\n  n: {type: int, low: 1, high: 3}\n  c: 30\n"
    others += "  v: {choices: [1], when: {x: 1}}\n" if "{v: 1}" in spec else ""
    found = errors_of(PYTHON.replace("{x: [1, 2]}", f"\n{spec}\n{others if 'when' in spec else ''}"))[:-1]
    assert sorted({line.partition(" ")[0] for line in found}) == sorted(f"f:5:{place}:" for place in places)
    assert len(found) == len(messages)
    for line, message in zip(found, messages, strict=True):
        assert line.partition("error: ")[2].startswith(message.replace("P", "parameters.x", 1))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("loader: sklearn.datasets.load_iris", "path: a.txt, target: y", "5:18: error: D.path: must be the path of a .csv or .parquet file, got 'a.txt'"),
        ("loader: sklearn.datasets.load_iris", "path: a.csv", "5:5: error: D: missing key 'target': name the column of the file to predict"),
        ("loader: sklearn.datasets.load_iris", "path: a.csv, target: y, loader: a.b", "5:12: error: D.path: give loader or path, not both"),
        ("loader: sklearn.datasets.load_iris", "loader: a.b, target: y", "5:25: error: D.target: target names a column of a file: it needs path, not loader"),
        ("loader: sklearn.datasets.load_iris", "seed: 1", "5:5: error: D: give loader (a function that returns X and y) or path (a file)"),
        ("loader: sklearn.datasets.load_iris", "loader: load_iris", "5:20: error: D.loader: must be a dotted path such as sklearn.svm.SVC, got 'load_iris'"),
        ("load_iris", "load_iris, test: 1.5", "5:54: error: D.test: must be a share above 0 and below 1, or the path of a file, got 1.5"),
        ("load_iris", "load_iris, test: 1", "5:54: error: D.test: must be a share above 0 and below 1, or the path of a file, got 1"),
        ("load_iris", "load_iris, test: true", "5:54: error: D.test: must be a share between 0 and 1, or the path of a file"),
        ("load_iris", "load_iris, test: x.csv", "5:54: error: D.test: a test file needs path, not loader: give a share such as 0.2"),
        ("load_iris", "load_iris, test_size: 0.2", "5:48: error: D.test_size: unknown key 'test_size' - did you mean 'test'?"),
        ("estimator: sklearn.svm.SVC", "pipeline: [{a: b.c, d: e.f}]", "6:16: error: S.pipeline[0]: must have one key, the step's name: begin each step with its own -"),
        ("estimator: sklearn.svm.SVC", "pipeline: [{x: b.c}, {x: b.c}]", "6:27: error: S.pipeline[1].x: each step needs a name of its own, got 'x' twice"),
        ("estimator: sklearn.svm.SVC", "pipeline: [{x__y: b.c}]", "6:17: error: S.pipeline[0].x__y: the key must be a step's name: letters and digits with single underscores"),
        ("estimator: sklearn.svm.SVC", "pipeline: []", "6:15: error: S.pipeline: must not be empty"),
        ("estimator: sklearn.svm.SVC", "pipeline: [{xx: b.c}]", "7:14: error: parameters.x: the pipeline has no step 'x'; it has xx - did you mean 'xx'?"),
        ("    estimator: sklearn.svm.SVC\n", "", "4:3: error: S: give estimator (a dotted path) or pipeline (a list of steps)"),
        ("SVC\n", "SVC\n    pipeline: [{x: b.c}]\n", "7:5: error: S.pipeline: give estimator or pipeline, not both"),
        ("SVC\n", "SVC\n    cv: 5\n", "7:9: error: S.cv: must be a mapping, got 5"),
        ("SVC\n", "SVC\n    cv: {folds: 1}\n", "7:17: error: S.cv.folds: must be at least 2, got 1"),
        ("SVC\n", "SVC\n    cv: {n_splits: 3}\n", "7:10: error: S.cv.n_splits: unknown key 'n_splits' - did you mean 'folds'?"),
        ("SVC\n", "SVC\n    cv: {folds: 3, holdout: 0.2}\n", "7:20: error: S.cv.holdout: give folds or holdout, not both"),
        ("SVC\n", "SVC\n    cv: {holdout: 1}\n", "7:19: error: S.cv.holdout: must be below 1, got 1"),
        ("SVC\n", "SVC\n    scoring: [accuracy, r22]\n", "2:16: error: metric.name: 'r2' is not among objective.sklearn.scoring: accuracy, r22 - did you mean 'r22'?"),
        ("SVC\n", "SVC\n    scoring: [r2, r2]\n", "7:14: error: S.scoring: each scorer may be named once"),
        (", goal: maximize", "", "2:1: error: metric: scikit-learn's 'r2' is better when higher: write goal: maximize"),
        ("r2, goal: maximize", "neg_log_loss, goal: minimize", "2:36: error: metric.goal: scikit-learn's 'neg_log_loss' is better when higher: write goal: maximize"),
        ("r2, goal: maximize", "rmse, goal: maximize", "2:28: error: metric.goal: 'rmse' is better when lower: write goal: minimize"),
        ("SVC\n", "SVC\n  python: a:b\n", "7:3: error: objective.python: give sklearn or python, not both"),
    ],
)  # fmt: skip
def test_a_wrong_sklearn_objective_is_named_with_its_place_and_the_way_out(old: str, new: str, line: str) -> None:
    wanted = line.replace(" D", " objective.sklearn.data", 1).replace(" S", " objective.sklearn", 1)
    assert errors_of(SKLEARN.replace(old, new, 1)) == [f"f:{wanted}", "1 error in f; nothing was run"]


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("train.objective", "must be module:function, such as train:objective, got 'train.objective' - did you mean 'train:objective'?"),
        ("train.py:objective", "names a file, not a module: write train:objective"),
        ("src/train.py:objective", "got 'src/train.py:objective' - did you mean 'src.train:objective'?"),
        ("train", "must be module:function, such as train:objective, got 'train'"),
        ("train:", "got 'train:'"),
        ("train:f()", "got 'train:f()'"),
    ],
)  # fmt: skip
def test_a_wrong_path_of_a_python_objective_is_answered_with_the_right_one(path: str, end: str) -> None:
    first = errors_of(PYTHON.replace("train:objective", path))[0]
    assert first.startswith("f:3:21: error: objective.python: ")
    assert first.endswith(end)


@pytest.mark.parametrize(
    ("extra", "hint"),
    [
        ("method: bayes", "method: unknown key 'method' - write engine.sampler"),
        ("direction: maximize", "direction: unknown key 'direction' - write metric.goal"),
        ("run_cap: 3", "run_cap: unknown key 'run_cap' - write budget.n_trials"),
        ("max_evals: 3", "max_evals: unknown key 'max_evals' - write budget.n_trials"),
        ("budget: {max_evals: 3}", "budget.max_evals: unknown key 'max_evals' - did you mean 'n_trials'?"),
        ("budget: {target: 0.9}", "budget.target: unknown key 'target' - write metric.target"),
        ("budget: {n_jobs: 2}", "budget.n_jobs: unknown key 'n_jobs' - there is parallel.n_jobs"),
        ("n_trials: 3", "n_trials: unknown key 'n_trials' - there is budget.n_trials"),
        ("n_trails: 3", "n_trails: unknown key 'n_trails' - there is budget.n_trials"),
        ("timeout: 3", "timeout: unknown key 'timeout' - write budget.timeout"),
        ("n_jobs: 3", "n_jobs: unknown key 'n_jobs' - there is parallel.n_jobs"),
        ("seed: 3", "seed: unknown key 'seed' - write engine.seed"),
        ("budget: {seed: 3}", "budget.seed: unknown key 'seed' - write engine.seed"),
        ("storage: x", "storage: unknown key 'storage' - write tracker.uri"),
        ("tracking_uri: x", "tracking_uri: unknown key 'tracking_uri' - write tracker.uri"),
        ("tracker: {tracking_uri: x}", "tracker.tracking_uri: unknown key 'tracking_uri' - did you mean 'uri'?"),
        ("program: train.py", "program: unknown key 'program' - write objective.command"),
        ("space: {}", "space: unknown key 'space' - did you mean 'parameters'?"),
        ("search_space: {}", "search_space: unknown key 'search_space' - did you mean 'parameters'?"),
        ("params: {}", "params: unknown key 'params' - did you mean 'parameters'?"),
        ("early_terminate: {}", "early_terminate: unknown key 'early_terminate' - did you mean 'pruner'?"),
        ("register: {name: a, model: b}", "register.model: unknown key 'model' - did you mean 'name'?"),
        ("sampler: tpe", "sampler: unknown key 'sampler' - there is engine.sampler"),
        ("folds: 3", "folds: unknown key 'folds' - there is objective.sklearn.cv.folds"),
        ("study_name: b", "study_name: unknown key 'study_name' - did you mean 'name'?"),
    ],
)
def test_a_foreign_or_misplaced_key_is_answered_with_ours(extra: str, hint: str) -> None:
    lines = errors_of(PYTHON + extra)
    assert len(lines) == 2
    assert lines[0].endswith(hint)


@pytest.mark.parametrize(
    "extra",
    [
        "constraints: ['a < b']", "tracker: {mirror: x}",
        "parallel: {address: x}", "parallel: {backend: spark}", "parallel: {backend: 'joblib:'}",
    ],
)  # fmt: skip
def test_what_does_not_work_yet_is_an_error(extra: str) -> None:
    assert errors_of(PYTHON + extra)[-1] == "1 error in f; nothing was run"


def test_missing_keys_are_named_at_the_top() -> None:
    assert errors_of("name: a\n") == [
        "f:1:1: error: missing key 'metric'",
        "f:1:1: error: missing key 'objective'",
        "f:1:1: error: missing key 'parameters'",
        "3 errors in f; nothing was run",
    ]


def test_no_parameters_at_all_is_an_error() -> None:
    assert errors_of(PYTHON.replace("{x: [1, 2]}", "{}"))[0] == "f:4:1: error: parameters: must not be empty"


def test_a_name_is_kept_clear_of_what_commands_mean_by_hash_and_at() -> None:
    for name in ("a#17", "'@latest'", "''", "' a'", "a/../b", "a" * 201):
        assert errors_of(PYTHON.replace("name: a", f"name: {name}"))[0].startswith("f:1:7: error: name: must ")


@pytest.mark.parametrize("backend", ["threading", "serial"])
def test_limits_of_a_trial_need_a_process_to_end(backend: str) -> None:
    text = PYTHON.replace('objective"}', 'objective", timeout: 3s, memory: 1GiB}') + f"parallel: {{backend: {backend}}}"

    assert errors_of(text) == [
        f"f:3:40: error: objective.timeout: only a process can be ended, and parallel.backend is {backend}:"
        " write backend: loky",
        f"f:3:53: error: objective.memory: only a process can be ended, and parallel.backend is {backend}:"
        " write backend: loky",
        "2 errors in f; nothing was run",
    ]


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        ("4 gigs", "cannot read '4 gigs' as an amount of memory: write 512MiB or 4GiB"),
        ("5MiB", "must be at least 64MiB: an idle worker takes 40MiB or more; got 5242880 bytes"),
        ("1024", "must be at least 64MiB: an idle worker takes 40MiB or more; got 1024 bytes"),
        ("-1GiB", "cannot read '-1GiB' as an amount of memory: write 512MiB or 4GiB"),
    ],
)
def test_an_amount_of_memory_has_a_unit_and_is_enough_for_a_worker(memory: str, words: str) -> None:
    text = PYTHON.replace('objective"}', f'objective", memory: {memory}}}')

    assert errors_of(text) == [f"f:3:48: error: objective.memory: {words}", "1 error in f; nothing was run"]


GATES = [
    ("{name: m, margin: 0.1}", "21", "margin: says by how much to beat somebody: add better_than: champion"),
    ("{name: m, margin: -1, better_than: a}", "29", "margin: must be at least 0.0, got -1"),
    ("{name: m, seeds: 1}", "28", "seeds: must be at least 2, got 1"),
    ("{name: m, test: true}", "27", "test: there is no test data: give objective.sklearn.data.test a share or a file"),
    (
        "{name: m, test: judge}",
        "27",
        "test: must be true, false, or module:function, such as train:objective, got 'judge'",
    ),
    ("{name: m, test: 3}", "27", "test: must be true, false, or module:function, such as train:test"),
    ("{name: m, better_than: v3}", "34", "better_than: MLflow keeps 'v3' for itself: write the number alone"),
    (
        "{name: m, better_than: 0}",
        "34",
        "better_than: must be an alias such as champion, or a version's number from 1, got 0",
    ),
    (
        "{name: m, stage: production}",
        "28",
        "stage: 'production' is not one of Staging, Production - did you mean 'Production'?",
    ),
    ("{name: m, threshold: 1}", "21", "threshold: unknown key 'threshold' - did you mean 'when'?"),
    ("{name: m, baseline: a}", "21", "baseline: unknown key 'baseline' - did you mean 'better_than'?"),
]


@pytest.mark.parametrize(("section", "column", "message"), GATES)
def test_gates_that_make_no_sense_are_told(section: str, column: str, message: str) -> None:
    [line, _] = errors_of(SKLEARN + f"register: {section}\n")
    assert line == f"f:8:{column}: error: register.{message}"


def test_gates_that_the_objective_cannot_serve_are_told() -> None:
    python = PYTHON + "register: {name: m, better_than: champion, test: true}\n"
    assert errors_of(python)[:2] == [
        "f:5:21: error: register.better_than: nobody knows what data a Python objective saw: name a function that judges"
        " models, test: module:function",
        "f:5:50: error: register.test: a Python objective has no test part: name a function, module:function",
    ]
    fixed = SKLEARN.replace("{x: [1, 2]}", "{random_state: [1, 2]}") + "register: {name: m, seeds: 3}\n"
    assert errors_of(fixed)[0] == (
        "f:8:21: error: register.seeds: parameters.random_state decides every draw, so other seeds would change nothing:"
        " remove one of them"
    )


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("r2_sdt > 1", "'r2_sdt' is not measured; there is r2, r2_std, fold_r2 - did you mean 'r2_std'?"),
        ("test_r2 > 1", "'test_r2' is not measured: nothing is judged on test data; give objective.sklearn.data.test"),
        ("seeds_mean_r2 > 1", "'seeds_mean_r2' is not measured: nobody is run again; give seeds"),
        ("r2 >", "here a value is needed, a number or a text in quotes"),
        ("tags.", "after 'tags.' a name is needed, such as tags.x or tags.`x y`"),
    ],
)
def test_a_condition_is_checked_by_rules_from_above_at_its_place(when: str, message: str) -> None:
    text = SKLEARN + f"register: {{name: m, when: {when}}}\n"
    read_sweep_text(text, "f")  # this package knows nothing of conditions
    with pytest.raises(SweepFileError) as raised:
        read_sweep_text(text, "f", checks=(when_findings,))
    assert str(raised.value).splitlines()[0] == f"f:8:27: error: register.when: {message}"


def test_a_condition_on_what_will_be_measured_is_right() -> None:
    judged = SKLEARN.replace("load_iris}", "load_iris, test: 0.2}")
    when = "test_r2 > 0 and seeds_std_r2 < 1 and fold_r2 > 0 and seconds < 3 and params.x = 1"
    read_sweep_text(judged + f"register: {{name: m, seeds: 2, when: {when}}}\n", "f", checks=(when_findings,))
    read_sweep_text(PYTHON + "register: {name: m, when: anything > 1}\n", "f", checks=(when_findings,))
