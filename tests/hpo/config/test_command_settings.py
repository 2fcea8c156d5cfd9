"""What a sweep file may say of a program, and what is said where it says something else."""

import json
from pathlib import Path

import jsonschema
import pytest

from hpo.config.conversion import canonical, config_hash
from hpo.config.expanded import as_yaml
from hpo.config.line_pattern import fault_of_pattern
from hpo.config.problems import Place
from hpo.config.reading import SweepFileError, read_sweep_text
from hpo.config.source import parse, plain

FILE = """name: a
metric: {name: loss}
parameters:
  x: {type: float, low: 0, high: 1}
  kind: [a, b]
  depth: {type: int, low: 1, high: 3, when: {kind: a}}
objective:
"""
GOOD = [
    'command: [python, train.py, "{args}"]',
    'command: [sh, -c, "echo {{}}", "--x={x}", "--depth={depth}", "{trial_dir}/{number}-{seed}"]\n'
    "  metrics: {stdout: json}",
    'command: ["{kind}"]\n  metrics: {regex: "loss=(?P<loss>[0-9]+)", file: "{trial_dir}/m.json"}',
    'command: [a]\n  metrics: {regex: ["(?P<step>[0-9]+)x(?P<loss>[0-9]+)", "y(?P<y>[0-9])"]}',
    'command: [a]\n  metrics: {file: m.json}\n  cwd: "{trial_dir}"\n  artifacts: ["*.png", "{trial_dir}/m/**"]',
    'command: [a]\n  metrics: {file: "{sweep_dir}/{number}.json"}\n  env: {A: "{x}", DEPTH: "{depth}", B: "2"}',
]


@pytest.mark.parametrize("objective", GOOD)
def test_a_program_reads_back_as_written(objective: str) -> None:
    text = f"{FILE}  {objective}\n"
    config = read_sweep_text(text)
    assert config_hash(read_sweep_text(as_yaml(config))) == config_hash(config)
    schema = json.loads(Path("hpo/schema/sweep-v1.json").read_text())
    root, _ = parse(text, lambda line, column: Place(0, line, column, ""))
    assert root is not None
    jsonschema.validate(plain(root), schema)


@pytest.mark.parametrize(
    ("objective", "problem"),
    [
        ("command: python train.py", "objective.command: must be an argv list, never a shell: [python, train.py]"),
        ("command: [a, --x={x}]", "got '{'; put text that holds a brace in quotes"),
        ("command: []", "objective.command: must not be empty"),
        ("command: [python, 3]", 'objective.command[1]: must be text, got 3: write "3" in quotes'),
        ("command: [python, {x: 1}]", "objective.command[1]: must be text: put quotes around what holds { or ["),
        ('command: [a, "{deph}"]', "objective.command[1]: there is no parameter 'deph' - did you mean 'depth'?"),
        ('command: [a, "{trialdir}"]', "there is no parameter 'trialdir' - did you mean 'trial_dir'?"),
        ('command: [a, "{zzz}"]', "there is no parameter 'zzz'; {zzz} would be text as {{zzz}}"),
        ('command: [a, "{x"]', "objective.command[1]: '{' belongs to no placeholder in '{x': write {{ for a brace"),
        ('command: [a, "{}"]', "objective.command[1]: {} names nothing: write {{}} for two braces"),
        ('command: [a, "-- {args}"]', "{args} stands for several arguments: it must be an argument of its own"),
        ('command: [a]\n  env: {A: "{args}"}', "objective.env.A: {args} stands for several arguments"),
        ('command: [a, --depth, "{depth}"]', "'--depth' would stay alone: write --depth={depth}"),
        ('command: ["{depth}"]', "the program itself cannot hang on 'depth', which not every trial has"),
        ("command: [a, --api-key=abcdefgh]", "objective.command[1]: looks like a secret, and the"),
        ("command: [a]\n  env: {API_KEY: abcdefgh}", "objective.env.API_KEY: looks like a secret"),
        ('command: [a]\n  metrics: {file: m.json}', "trials would write the same file, and read each other's"),
        ('command: [a]\n  metrics: {file: "{x}.json"}', "may hold {trial_dir}, {sweep_dir}, {number}, {seed}"),
        ("command: [a]\n  metrics: {}", "objective.metrics: give stdout: json, regex (a pattern), or file (a path)"),
        ("command: [a]\n  metrics: {stdout: json, regex: a}", "metrics.regex: give stdout or regex, not both"),
        ("command: [a]\n  metrics: {stdout: yaml}", "'yaml' is not one of json"),
        ("command: [a]\n  metrics: {regex: 'a('}", "objective.metrics.regex: is no regular expression"),
        ("command: [a]\n  artifacts: [../x]", "objective.artifacts[0]: must be a pattern of files below {trial_dir}"),
        ("command: [a]\n  model: m/*", "objective.model: must be a folder below {trial_dir}, such as model"),
        ("command: [a]\n  program: b", "unknown key 'program' - did you mean 'command'?"),
        ('python: "a:b"\n  cwd: x', "objective.cwd: belongs to command, an argv list: there is none"),
        ('python: "a:b"\n  command: [x]', "objective.command: give python or command, not both"),
        ("timeout: 5m", "objective: give sklearn, python or command"),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_stand(objective: str, problem: str) -> None:
    with pytest.raises(SweepFileError) as found:
        read_sweep_text(f"{FILE}  {objective}\n")
    assert problem in str(found.value)
    assert "1 error" in str(found.value)


def test_a_pruner_needs_lines_that_report() -> None:
    silent = FILE + '  command: [a]\n  metrics: {file: "{trial_dir}/m"}\npruner: median\n'
    with pytest.raises(SweepFileError, match="a program reports on its way in lines"):
        read_sweep_text(silent)
    read_sweep_text(silent.replace("{file", "{stdout: json, file"))


@pytest.mark.parametrize(
    "pattern", [r"(?P<a>(\d+)*)x", r"(?P<a>(a|b)+)", r"(?P<a>\d+)+", r"(?P<a>[(+]+)*", r"(?P<a>x)\1"]
)
def test_patterns_that_may_take_for_ever_are_refused(pattern: str) -> None:
    assert "can take for ever" in str(fault_of_pattern(pattern))


@pytest.mark.parametrize(
    "pattern",
    [r"rmse=(?P<rmse>[0-9.eE+-]+)", r"(?:at (?P<step>\d+(?:\.0)?))? .*l=(?P<l>[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)"],
)
def test_usual_patterns_are_taken(pattern: str) -> None:
    assert fault_of_pattern(pattern) is None


def test_a_program_has_no_model_to_register() -> None:
    with pytest.raises(SweepFileError, match="register: needs a model: name the MLflow model folder"):
        read_sweep_text(FILE + "  command: [a]\nregister: {name: m}\n")


def test_what_decides_the_trials_is_in_the_hash_and_what_is_kept_is_not() -> None:
    plain_file = FILE + "  command: [a]\n"
    same = [plain_file + "  metrics: {stdout: json}\n", plain_file + "  artifacts: [x]\n"]
    other = [FILE + "  command: [b]\n", plain_file + "  cwd: x\n", plain_file + '  env: {A: "1"}\n']
    mine = canonical(read_sweep_text(plain_file))
    assert [canonical(read_sweep_text(text)) == mine for text in (*same, *other)] == [True, True, False, False, False]
