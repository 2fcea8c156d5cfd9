import json

import pytest

from hpo.config.conversion import canonical, components_of, config_hash, space_of
from hpo.config.expanded import as_yaml
from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.space import Choice, Constant, FloatRange, IntRange

TEXT = """\
name: a
metric: {name: accuracy, goal: maximize}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_iris, test: 0.2}
    pipeline: [{scale: sklearn.preprocessing.StandardScaler}, {clf: sklearn.svm.SVC}]
    scoring: [accuracy, f1_macro]
parameters:
  clf: {choices: {svc: sklearn.svm.SVC, tree: sklearn.tree.DecisionTreeClassifier}}
  clf__C: {type: float, low: 1e-2, high: 100, log: true, when: {clf: svc}}
  clf__max_depth: {type: int, low: 1, high: 9, step: 2, when: {clf: [tree]}}
  scale__with_mean: [true, false]
  scale__copy: true
engine: {name: hyperopt, seed: 3, options: {gamma: 0.3}}
budget: {n_trials: 9, timeout: 1h30m}
parallel: {n_jobs: 2}
"""
GOLDEN = "1d843b8f6c4664e2ddc65bba794faa88f0961da62579b961ac08b4af7bef5582"


def read(text: str = TEXT, *overrides: str) -> SweepConfig:
    return read_sweep_text(text, "f", overrides)


def test_the_space_has_the_domains_and_conditions_of_the_file() -> None:
    space = space_of(read())
    assert {parameter.name: parameter.domain for parameter in space.parameters} == {
        "clf": Choice(("svc", "tree")),
        "clf__C": FloatRange(0.01, 100.0, log=True),
        "clf__max_depth": IntRange(1, 9, step=2),
        "scale__with_mean": Choice((True, False)),
        "scale__copy": Constant(True),
    }
    conditions = {parameter.name: parameter.when for parameter in space.parameters if parameter.when}
    assert list(conditions) == ["clf__C", "clf__max_depth"]
    assert list(conditions["clf__C"]["clf"]) == ["svc"]
    assert list(conditions["clf__max_depth"]["clf"]) == ["tree"]


def test_a_whole_number_in_a_condition_on_a_float_means_that_float() -> None:
    text = 'name: a\nmetric: {name: b}\nobjective: {python: "a:b"}\nparameters:\n'
    text += "  x: {type: float, low: 0, high: 1, step: 0.5}\n  y: {choices: [1], when: {x: 1}}\n"
    assert space_of(read(text))["y"].is_active({"x": 1.0})


def test_values_keep_their_types() -> None:
    text = 'name: a\nmetric: {name: b}\nobjective: {python: "a:b"}\nparameters: {x: [1, 1.0, true, "1", null, a]}\n'
    choices = space_of(read(text))["x"].domain.grid()
    assert [(type(value), value) for value in choices] == [
        (int, 1), (float, 1.0), (bool, True), (str, "1"), (type(None), None), (str, "a"),
    ]  # fmt: skip


def test_components_are_the_dotted_paths_of_choices() -> None:
    assert components_of(read()) == {
        "clf": {"svc": "sklearn.svm.SVC", "tree": "sklearn.tree.DecisionTreeClassifier"},
    }


def test_the_canonical_text_is_strict_json_with_defaults_filled_in() -> None:
    text = canonical(read())
    document = json.loads(text)
    assert document["window"] == 4
    assert document["engine"]["sampler"] == "tpe"
    assert document["objective"]["sklearn"]["cv"] == {"folds": 5, "holdout": None, "seed": 0, "shuffle": True}
    assert [parameter["name"] for parameter in document["parameters"]] == list(read().parameters)
    assert text == json.dumps(document, sort_keys=True, separators=(",", ":"))


def test_the_hash_of_a_file_is_the_same_in_every_release() -> None:
    # a sweep on record is known by this hash: if this fails, sweeps could not be continued after an upgrade
    assert config_hash(read()) == GOLDEN


@pytest.mark.parametrize(
    "change",
    [
        "name=b", "experiment=e", "description=d", "tags={a: b}", "metric.target=0.9", "budget.n_trials=99",
        "budget.timeout=5", "budget.max_failures=null", "budget.patience=3", "parallel.backend=threading",
        "parallel.inner_threads=2", "parallel.window=4", "tracker.uri=x", "tracker.artifacts=y",
        "tracker.log_models=all", "register={name: m, top: 3}", "objective.sklearn.cv={folds: 5}",
        "parameters.scale__with_mean={choices: [true, false]}", "parameters.clf__C.log=true",
        "parameters.clf__C.high=1e2", "parameters.clf__C.when.clf=[svc]", "engine.sampler=tpe",
    ],
)  # fmt: skip
def test_what_does_not_decide_the_trials_does_not_change_the_hash(change: str) -> None:
    assert config_hash(read(TEXT, change)) == config_hash(read())


@pytest.mark.parametrize(
    "change",
    [
        "metric.name=f1_macro", "objective.sklearn.data.test=0.3", "objective.sklearn.data.loader=a.b",
        "objective.sklearn.data.seed=1", "objective.sklearn.cv.folds=4", "objective.sklearn.cv.seed=1",
        "objective.sklearn.cv.shuffle=false", "objective.sklearn.scoring=accuracy", "engine.name=optuna",
        "objective.sklearn.pipeline.1.clf=a.b", "parameters.clf.choices.svc=a.b", "parameters.clf__C.high=99",
        "parameters.clf__C.log=false", "parameters.clf__max_depth.step=1", "parameters.scale__copy=false",
        "parameters.scale__with_mean=[false, true]", "parameters.clf__C.when.clf=tree", "parameters.clf__x=1",
        "engine.sampler=random", "engine.seed=4", "engine.options.gamma=0.2", "parallel.n_jobs=3",
        "parallel.window=free", "parallel.window=5", "parameters.scale__with_mean=[1, 0]",
        "objective.timeout=5m", "objective.memory=4GiB",
    ],
)  # fmt: skip
def test_what_decides_the_trials_changes_the_hash(change: str) -> None:
    assert config_hash(read(TEXT, change)) != config_hash(read())


def test_the_goal_and_the_order_of_parameters_change_the_hash() -> None:
    text = 'name: a\nmetric: {name: b}\nobjective: {python: "a:b"}\nparameters: {x: [1, 2], y: [1, 2]}\n'
    hashes = {
        config_hash(read(text)),
        config_hash(read(text, "metric.goal=maximize")),
        config_hash(read(text, "objective.python=a:c")),
        config_hash(read(text.replace("x: [1, 2], y: [1, 2]", "y: [1, 2], x: [1, 2]"))),
    }
    assert len(hashes) == 4


def test_a_dependent_parameter_may_stand_before_what_it_depends_on() -> None:
    text = 'name: a\nmetric: {name: b}\nobjective: {python: "a:b"}\nparameters:\n'
    text += "  y: {choices: [1], when: {x: 1}}\n  x: [1, 2]\n"
    assert [parameter.name for parameter in space_of(read(text)).parameters] == ["x", "y"]


@pytest.mark.parametrize(
    ("parallel", "window"),
    [
        ("{}", 1),
        ("{n_jobs: 3}", 6),
        ("{n_jobs: 3, window: 3}", 3),
        ("{n_jobs: 1, window: 8}", 8),
        ("{window: free}", None),
    ],
)
def test_the_window_is_derived_from_the_jobs(parallel: str, window: int | None) -> None:
    assert read(TEXT, f"parallel={parallel}").parallel.rolling_window == window


@pytest.mark.parametrize(
    ("parallel", "slots"),
    [
        ("{n_jobs: 3}", 3),
        ("{n_jobs: -1, window: 4}", 4),
        ("{n_jobs: -1, window: 32}", 8),
        ("{n_jobs: -1, window: free}", 8),
        ("{n_jobs: 3, backend: serial}", 1),
    ],
)
def test_slots_follow_jobs_cores_and_window(parallel: str, slots: int) -> None:
    assert read(TEXT, f"parallel={parallel}").parallel.slots(cores=8) == slots


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784), ("45", 45), ("0.5", 0.5)],
)
def test_times_are_seconds(text: str, seconds: float) -> None:
    assert read(TEXT, f"budget.timeout={text}").budget.timeout == seconds


def test_what_a_file_leaves_out_has_its_default() -> None:
    config = read('name: a\nmetric: {name: b}\nobjective: {python: "a:b"}\nparameters: {x: [1, 2]}\n')
    assert (config.version, config.experiment_name, config.goal) == (1, "a", "minimize")
    assert (config.engine.name, config.engine.sampler, config.engine.seed) == ("auto", "auto", 0)
    assert (config.budget.n_trials, config.budget.max_failures, config.budget.patience) == (50, 10, None)
    assert (config.parallel.n_jobs, config.parallel.backend, config.parallel.inner_threads) == (1, "loky", 1)
    assert (config.tracker.uri, config.tracker.artifacts, config.tracker.log_models) == (None, "mlruns", "best")
    assert config.registration is None


def test_scoring_is_the_metric_alone_where_left_out() -> None:
    text = TEXT.replace("    scoring: [accuracy, f1_macro]\n", "")
    assert read(text).scorers == ("accuracy",)
    assert config_hash(read(text)) == config_hash(read(text, "objective.sklearn.scoring=accuracy"))


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["budget.max_failures=null", "register={name: m, alias: null}", "tags={'a/b': 'yes', c: '1e-3', d: ''}"],
        ["description=\"a: 'b' # c\\n\\t\\u2028\\U0001F600 \\x85\\x7f\"", "engine.options={a: {b: [1, x, null]}}"],
        [
            "parameters.scale__with_mean={choices: ['true', 'null', '1', ' a', 'a: b', '- a', '#']}",
            "parallel.window=free",
        ],
        ["parameters.scale__copy=null", "parameters.scale__x=-0.0", "parameters.scale__y=1e300"],
        ["objective={python: 'a:b', timeout: 90s, memory: 1.5GiB}", "parameters.clf=[a, svc, tree]"],
        ["objective.timeout=2m", "objective.memory=512MiB"],
        ["objective.sklearn.cv={holdout: 0.1}", "objective.sklearn.data={path: d.csv, target: 'the y', test: t.csv}"],
    ],
)
def test_the_expanded_file_reads_back_as_the_same_sweep(overrides: list[str]) -> None:
    config = read(TEXT, *overrides)
    again = read(as_yaml(config))
    assert canonical(again) == canonical(config)
    assert as_yaml(again) == as_yaml(config)
    assert {**again.model_dump(), "parallel": 0, "objective": 0} == {
        **config.model_dump(),
        "parallel": 0,
        "objective": 0,
    }


@pytest.mark.parametrize(
    ("text", "amount"),
    [("512MiB", 2**29), ("4GiB", 2**32), ("1.5 GB", 1_500_000_000), ("1tib", 2**40), ("1e9", 10**9)],
)
def test_memory_is_read_as_bytes(text: str, amount: int) -> None:
    assert read(TEXT, f"objective.memory={text}").objective.memory == amount
