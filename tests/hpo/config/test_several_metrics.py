"""Several metrics in a sweep file: what they need, and what they cannot be combined with."""

import pytest

from hpo.config.conversion import canonical, config_hash
from hpo.config.expanded import as_yaml
from hpo.config.reading import SweepFileError, read_sweep_text
from hpo.config.rules import TIMES
from hpo.config.schema import SAMPLERS
from hpo.config.several_rules import SERVED
from hpo.objectives import scoring
from hpo.recorded_config import recorded
from hpo.samplers.names import FOR_SEVERAL
from hpo.trial import Goal

SEVERAL = """\
name: both
metrics: [{name: a, goal: maximize}, {name: b}]
objective: {python: "m:f"}
parameters: {x: {type: float, low: 0, high: 1}}
"""
ONE = SEVERAL.replace("metrics: [{name: a, goal: maximize}, {name: b}]", "metric: {name: a}")
REGISTERED = "register: {name: m, pick: %s}"


def errors_of(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        read_sweep_text(text, "f")
    return str(caught.value).splitlines()


def test_several_metrics_keep_their_order_and_goals() -> None:
    config = read_sweep_text(SEVERAL)
    assert list(config.goals.items()) == [("a", Goal.MAXIMIZE), ("b", Goal.MINIMIZE)]
    assert (config.metric.name, config.goal) == ("a", Goal.MAXIMIZE)
    assert read_sweep_text(ONE).goals == {"a": Goal.MINIMIZE}


@pytest.mark.parametrize("pick", ["knee", "{metric: b}", "{lexicographic: [{metric: a, tolerance: 0.1}, {metric: b}]}"])
def test_a_file_with_all_defaults_reads_back_the_same(pick: str) -> None:
    config = read_sweep_text(SEVERAL + REGISTERED % pick)
    again = read_sweep_text(as_yaml(config))
    assert (again.goals, again.registration) == (config.goals, config.registration)
    assert config_hash(again) == config_hash(config)


def test_metrics_and_goals_decide_the_trials_and_a_reference_does_not() -> None:
    plain = read_sweep_text(SEVERAL)
    with_reference = read_sweep_text(SEVERAL.replace("{name: b}", "{name: b, reference: 2.5}"))
    assert config_hash(with_reference) == config_hash(plain)
    assert '"references": {"b": 2.5}' in recorded(with_reference)
    assert config_hash(read_sweep_text(SEVERAL.replace("name: b", "name: c"))) != config_hash(plain)
    assert config_hash(read_sweep_text(SEVERAL.replace("maximize", "minimize"))) != config_hash(plain)
    assert '"metric"' not in canonical(plain)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "engine: {sampler: cmaes}",
            "5:19: error: engine.sampler: optuna's cmaes searches by one metric; several are searched by tpe, nsga2, "
            "qmc, random, grid",
        ),
        (
            "engine: hyperopt",
            "5:9: error: engine: hyperopt's tpe searches by one metric; several are searched by random, grid; optuna "
            "has tpe and nsga2, which learn from all of them",
        ),
        (
            "pruner: median",
            "5:1: error: pruner: a pruner judges trials on their way by one metric, and here there are several: remove "
            "it, or write metric:",
        ),
        (
            "warm_start: {from: other}",
            "5:1: error: warm_start: trials of earlier sweeps are ranked by one metric, and here there are several: "
            "remove it, or write metric:",
        ),
        ("metric: {name: a}", None),
        (
            "register: {name: m}",
            "5:1: error: register: with several metrics no trial is the best one: say which of the front is meant, "
            "pick: {metric: a}, pick: knee, or pick: {lexicographic: [..]}",
        ),
        (
            'register: {name: m, pick: knee, test: "m:t", better_than: champion}',
            "5:46: error: register.better_than: in which metric? pick: knee does not say; use pick: {metric: ..} or "
            "{lexicographic: [..]}",
        ),
        (REGISTERED % "a", "5:27: error: register.pick: must be knee, {metric: a} or {lexicographic: [..]}, got 'a'"),
        (
            REGISTERED % "{metric: bb}",
            "5:36: error: register.pick.metric: 'bb' is not among metrics: a, b - did you mean 'b'?",
        ),
        (REGISTERED % "{}", "5:21: error: register.pick: give metric (a name), knee: true, or lexicographic (a list)"),
        (REGISTERED % "{metric: a, knee: true}", "5:39: error: register.pick.knee: give metric or knee, not both"),
        (
            REGISTERED % "{lexicographic: [{metric: a}, {metric: a}]}",
            "5:66: error: register.pick.lexicographic[1].metric: each metric decides once, got 'a' twice",
        ),
    ],
)
def test_what_needs_one_metric_is_refused_where_it_stands(more: str, message: str | None) -> None:
    first = message or "2:1: error: metrics: give metric (one) or metrics (several), not both"
    assert errors_of(SEVERAL + more) == [f"f:{first}", "1 error in f; nothing was run"]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("[{name: a}]", "2:10: error: metrics: is for two metrics or more: write metric: {name: a, goal: minimize}"),
        ("[]", "2:10: error: metrics: is for two metrics or more: write metric:"),
        ("[{name: a}, {name: a}]", "2:29: error: metrics[1].name: each metric may be named once, got 'a' twice"),
        (
            "[{name: a}, {name: b, target: 1}]",
            "2:40: error: metrics[1].target: is for one metric: with several there is no best trial that could reach "
            "it",
        ),
        (f"[{', '.join(f'{{name: m{n}}}' for n in range(9))}]", None),
    ],
)
def test_mistakes_of_metrics_are_named_where_they_stand(metrics: str, message: str | None) -> None:
    text = ONE.replace("metric: {name: a}", f"metrics: {metrics}")
    first = (
        message or "2:10: error: metrics: must have at most 8 metrics, got 9: nearly all trials would be on the front"
    )
    assert errors_of(text) == [f"f:{first}", "1 error in f; nothing was run"]


def test_a_pick_is_for_several_metrics() -> None:
    (first, _) = errors_of(ONE + REGISTERED % "knee")
    assert first.endswith("register.pick: chooses among trials by several metrics, and there is one: remove it")


def test_a_file_without_any_metric_lacks_one() -> None:
    assert errors_of(ONE.replace("metric: {name: a}\n", ""))[0] == "f:1:1: error: missing key 'metric'"
    (first, _) = errors_of(SEVERAL.replace("metrics:", "metrcs:"))
    assert first == "f:2:1: error: metrcs: unknown key 'metrcs' - did you mean 'metrics'?"


@pytest.mark.parametrize(("key", "ours"), [("one: {name: a}", "known here"), ("registration: {name: m}", "'register'")])
def test_keys_have_one_name_each(key: str, ours: str) -> None:
    (first, _) = errors_of((SEVERAL if key.startswith("one") else ONE) + key)
    assert f"unknown key '{key.partition(':')[0]}'" in first
    assert ours in first


def test_every_metric_of_a_scikit_learn_objective_is_a_scorer() -> None:
    sklearn = "{sklearn: {data: {loader: sklearn.datasets.load_iris}, estimator: sklearn.svm.SVC, scoring: [accuracy]}}"
    text = SEVERAL.replace('{python: "m:f"}', sklearn).replace("name: a", "name: accuracy")
    (first, _) = errors_of(text)
    assert first == "f:2:52: error: metrics[1].name: 'b' is not among objective.sklearn.scoring: accuracy"


def test_a_rule_that_puts_a_time_first_leaves_test_data_alone() -> None:
    sklearn = (
        "{sklearn: {data: {loader: sklearn.datasets.load_iris, test: 0.2}, estimator: sklearn.svm.SVC, "
        "scoring: [accuracy, fit_seconds]}}"
    )
    text = SEVERAL.replace('{python: "m:f"}', sklearn).replace("name: a", "name: accuracy")
    text = text.replace("name: b", "name: fit_seconds")
    (first, _) = errors_of(text + REGISTERED % "{metric: fit_seconds}")
    assert first.endswith(
        "register.pick: fit_seconds is nothing that test data could tell: put a score first, or write test: false"
    )
    assert read_sweep_text(text + REGISTERED % "{metric: accuracy}").decisive == "accuracy"
    assert tuple(scoring.TIMES) == TIMES


def test_the_samplers_that_the_schema_lets_pass_are_those_that_serve() -> None:
    assert {(engine, name) for engine, names in SERVED.items() for name in names} == set(FOR_SEVERAL)
    assert all(set(names) <= set(SAMPLERS[engine]) for engine, names in SERVED.items())
