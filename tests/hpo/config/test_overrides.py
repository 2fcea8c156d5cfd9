import pytest

from hpo.config.reading import SweepFileError, read_sweep, read_sweep_text
from hpo.config.schema import SweepConfig

TEXT = """\
name: a
metric: {name: accuracy, goal: maximize}
objective:
  sklearn:
    data: {loader: a.b}
    pipeline: [{x: b.c}, {y: d.e}]
parameters:
  x__a: &list [1, 2]
  x__b: *list
  y__c.d: {type: float, low: 0, high: 1}
engine: optuna
"""


def read(*overrides: str) -> SweepConfig:
    return read_sweep_text(TEXT, "f", overrides)


def errors_of(*overrides: str) -> list[str]:
    with pytest.raises(SweepFileError) as raised:
        read(*overrides)
    return str(raised.value).splitlines()


def test_an_override_makes_the_sections_that_lead_to_it() -> None:
    assert read("budget.n_trials=7").budget.n_trials == 7
    assert read("objective.sklearn.cv.holdout=.2").objective.sklearn.cv.holdout == 0.2


def test_an_override_of_a_file(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text(TEXT)
    assert read_sweep(path, ["budget.timeout=10m"]).budget.timeout == 600


def test_the_value_is_yaml() -> None:
    config = read("parameters.x__a={type: float, low: 1e-3, high: 1, log: true}", "tags={a: b}", "description=")
    assert config.parameters["x__a"].low == 0.001
    assert config.tags == {"a": "b"}
    assert config.description is None


def test_an_equals_sign_may_stand_in_the_value() -> None:
    assert read("tracker.uri=postgresql://h/d?a=b").tracker.uri == "postgresql://h/d?a=b"


def test_the_last_override_of_a_key_counts() -> None:
    assert read("engine.seed=1", "engine.seed=2").engine.seed == 2


def test_the_short_form_of_the_engine_takes_further_keys() -> None:
    config = read("engine.sampler=qmc", "engine.options.scramble=true")
    assert (config.engine.name, config.engine.sampler, config.engine.options) == ("optuna", "qmc", {"scramble": True})


def test_an_item_of_a_list_is_counted_from_0() -> None:
    config = read("objective.sklearn.pipeline.1={y: f.g}", "objective.sklearn.pipeline.0.x=h.i")
    assert config.objective.sklearn.pipeline == [{"x": "h.i"}, {"y": "f.g"}]


def test_a_name_with_a_dot_is_found() -> None:
    assert read("parameters.y__c.d.high=5").parameters["y__c.d"].high == 5
    assert read("parameters.y__c.d=5").parameters["y__c.d"] == 5


def test_an_override_behind_an_anchor_leaves_the_alias_alone() -> None:
    config = read("parameters.x__a.0=7")
    assert config.parameters["x__a"].choices == [7, 2]
    assert config.parameters["x__b"].choices == [1, 2]


def test_null_takes_an_optional_section_away() -> None:
    assert read("register={name: a}", "register=null").registration is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("budget.n_trials=0", "budget.n_trials: must be at least 1, got 0"),
        ("budget.n_trails=5", "budget.n_trails: unknown key 'n_trails' - did you mean 'n_trials'?"),
        ("n_trials=5", "n_trials: unknown key 'n_trials' - there is budget.n_trials"),
        ("budget.timeout=10 minutes", "budget.timeout: cannot read '10 minutes' as a time: write 10m"),
        (
            "parameters.x__a={type: float, low: 3, high: 2}",
            "parameters.x__a.low: low must be below high, got low 3.0 and high 2.0",
        ),
        ("budget", "write it as key=value, such as budget.n_trials=20"),
        ("", "write it as key=value, such as budget.n_trials=20"),
        ("=5", "write it as key=value, such as budget.n_trials=20"),
        ("budget..x=5", "write it as key=value, such as budget.n_trials=20"),
        ("name.x=5", "name: is not a mapping: give its whole value"),
        ("parameters.x__a.5=1", "parameters.x__a.5: is no item of a list of 2, counted from 0"),
        ("parameters.x__a.low=1", "parameters.x__a.low: is no item of a list of 2, counted from 0"),
        ("parameters.x__a.0.b=1", "parameters.x__a.0: is not a mapping: give its whole value"),
        ("tags={a: !!str b}", "tags are not allowed, got !!str: write the plain value"),
        ("name=*x", "alias *x has no anchor &x before it"),
        ("tags={a: b", "broken YAML: expected ',' or '}', but got '<stream end>' while parsing a flow mapping"),
        ("description=\x07", "control character U+0007 is not allowed"),
        ("parameters.x__a=", "parameters.x__a: has no value: write null if that is the constant meant"),
    ],
)
def test_a_mistake_in_an_override_is_reported_as_its_own(override: str, message: str) -> None:
    lines = errors_of(override)
    shown = override.replace("\x07", r"\x07")
    assert lines[0].startswith(f"-S {shown}: error: {message}")
    assert lines[1:] == ["1 error in f; nothing was run"]


def test_mistakes_of_the_file_come_first_then_those_of_overrides_in_their_order() -> None:
    with pytest.raises(SweepFileError) as raised:
        read_sweep_text(TEXT + "seed: 1\n", "f", ["budget.patience=0", "budget.n_trials=0", "engine.seed"])
    assert [line.partition(": error")[0] for line in str(raised.value).splitlines()[:-1]] == [
        "f:12:1", "-S budget.patience=0", "-S budget.n_trials=0", "-S engine.seed",
    ]  # fmt: skip


def test_an_override_can_mend_what_the_file_has_wrong() -> None:
    assert read_sweep_text(TEXT + "budget: {n_trials: 0}\n", "f", ["budget.n_trials=3"]).budget.n_trials == 3
