"""The command itself: verbs, shared options, exit codes, last lines."""

import importlib
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from hpo.cli import main as main_module
from hpo.cli import options
from hpo.cli.main import VERBS, main
from hpo.errors import ConfigError, HpoError, NothingFound, SpaceError, SweepOwned, TooManyFailures
from trackers.errors import FilterError, InvalidRecord, NotAStore, NotFound, StoreUnavailable, Superseded

Ask = Callable[..., Result]
HPO = [sys.executable, "-c", "from hpo.cli.main import main; main()"]
LIGHT = {"optuna", "sklearn", "pandas", "mlflow", "hyperopt", "numpy", "pydantic", "rich"}


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], Result]:
    """Runs a verb that raises."""

    def ask(error: BaseException, *args: str) -> Result:
        @click.command("ls")
        @options.shared
        def verb(**_: object) -> None:
            raise error

        monkeypatch.setattr(importlib.import_module("hpo.cli.ls_command"), "command", verb)
        return CliRunner().invoke(main, ["ls", *args])

    return ask


def test_the_help_lists_every_verb_with_a_line() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    for verb, (_, line) in VERBS.items():
        assert any(row.split()[:1] == [verb] and line.split()[0] in row for row in text.splitlines()), verb


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help_and_takes_the_common_options(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0
    for option in ("--quiet", "--verbose", "--debug", "--no-color"):
        assert option in result.stdout
    command = main.get_command(click.Context(main), verb)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"hpo {verb} {parameter.opts[0]} has no help"


def test_without_a_verb_the_help_is_shown() -> None:
    assert "Commands:" in CliRunner().invoke(main, []).output


def test_an_unknown_verb_gets_the_nearest() -> None:
    result = CliRunner().invoke(main, ["bets"])
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: no command 'bets' - did you mean 'best'?\n")


def test_an_unknown_option_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["ls", "--limt", "3"])
    assert result.exit_code == 2
    assert "--limit" in result.stderr.splitlines()[-1]


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("hpo 0.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HpoError("x"), 1),
        (NothingFound("x"), 1),
        (ConfigError("x"), 2),
        (SpaceError("x"), 2),
        (TooManyFailures("x"), 3),
        (SweepOwned("x"), 5),
        (Superseded("x"), 6),
        (NotFound("x"), 1),
        (FilterError("x"), 2),
        (InvalidRecord("x"), 2),
        (StoreUnavailable("x"), 75),
        (NotAStore("x"), 75),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_errors_become_the_documented_exit_codes(
    raising: Callable[..., Result], error: BaseException, code: int
) -> None:
    assert raising(error).exit_code == code


def test_an_error_is_one_line_without_a_traceback(raising: Callable[..., Result]) -> None:
    assert raising(NothingFound("no sweep 'x'")).stderr == "Error: no sweep 'x'\n"


def test_an_error_nobody_foresaw_says_how_to_see_more(raising: Callable[..., Result]) -> None:
    assert raising(ZeroDivisionError("oh")).stderr == (
        "Error: ZeroDivisionError: oh; run again with --debug for the traceback\n"
    )


def test_debug_shows_the_traceback_before_the_last_line(raising: Callable[..., Result]) -> None:
    stderr = raising(NothingFound("no sweep"), "--debug").stderr
    assert stderr.startswith("Traceback")
    assert stderr.endswith("\nError: no sweep\n")


def test_the_lines_of_a_sweep_file_stay_as_they_are(raising: Callable[..., Result]) -> None:
    text = "bad.yaml:1:2: error: x\n1 error in bad.yaml; nothing was run"
    assert raising(ConfigError(text)).stderr == text + "\n"


def test_messages_hide_passwords_and_control_characters(raising: Callable[..., Result]) -> None:
    error = StoreUnavailable("cannot open postgresql://joe:s3cret@db/x: \x1b]0;evil\x07")
    for result in (raising(error), raising(error, "--debug")):
        assert "s3cret" not in result.stderr
        assert result.stderr.endswith("Error: cannot open postgresql://joe:***@db/x: \\x1b]0;evil\\x07\n")
        assert "\x1b" not in result.stderr


def test_an_interruption_is_no_traceback(raising: Callable[..., Result]) -> None:
    assert raising(KeyboardInterrupt()).stderr == "interrupted\n"


def test_quiet_and_verbose_choose_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("ls")
    @options.shared
    def verb(**_: object) -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("hpo.x").log(level, logging.getLevelName(level))

    monkeypatch.setattr(importlib.import_module("hpo.cli.ls_command"), "command", verb)
    said = {flag: CliRunner().invoke(main, ["ls", *flag.split()]).stderr.split("\n") for flag in ("", "-q", "-v")}
    assert said[""] == ["INFO", "warning: WARNING", "ERROR", ""]
    assert said["-q"] == ["ERROR", ""]
    assert said["-v"] == ["DEBUG", "INFO", "warning: WARNING", "ERROR", ""]
    assert not logging.getLogger("hpo").handlers


@pytest.mark.parametrize(
    ("args", "env", "uri"),
    [
        (
            ["--tracker", "sqlite:///a.db"],
            {"HPO_TRACKER": "b", "MLFLOW_TRACKING_URI": "c"},
            ("sqlite:///a.db", "--tracker"),
        ),
        ([], {"HPO_TRACKER": "b", "MLFLOW_TRACKING_URI": "c"}, ("b", "HPO_TRACKER")),
        ([], {"HPO_TRACKER": None, "MLFLOW_TRACKING_URI": "c"}, ("c", "MLFLOW_TRACKING_URI")),
        ([], {"HPO_TRACKER": "", "MLFLOW_TRACKING_URI": None}, ("sqlite:///mlflow.db", "")),
    ],
)
def test_the_store_is_named_by_option_then_environment(
    monkeypatch: pytest.MonkeyPatch, args: list[str], env: dict[str, str | None], uri: tuple[str, str]
) -> None:
    seen: list[options.Shared] = []

    @click.command("ls")
    @options.shared
    def verb(shared: options.Shared) -> None:
        seen.append(shared)

    monkeypatch.setattr(importlib.import_module("hpo.cli.ls_command"), "command", verb)
    assert CliRunner().invoke(main, ["ls", *args], env=env).exit_code == 0
    assert (seen[0].tracker, seen[0].tracker_from) == uri
    assert (seen[0].format, seen[0].color, seen[0].quiet) == ("table", False, False)


def test_completion_scripts_complete_this_command() -> None:
    for shell in ("bash", "zsh", "fish"):
        result = CliRunner().invoke(main, ["completion", shell])
        assert result.exit_code == 0
        assert "_HPO_COMPLETE" in result.stdout
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


def test_verbs_are_completed_without_importing_them() -> None:
    found = main.shell_complete(click.Context(main), "mo")
    assert [(item.value, item.help) for item in found] == [("models", VERBS["models"][1])]


def loaded_modules(*args: str, env: dict[str, str]) -> set[str]:
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr))\n"
        f"from hpo.cli.main import main\nmain({list(args)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_the_help_imports_nothing_heavy() -> None:
    assert not loaded_modules("--help", env={}) & (LIGHT | {"sqlalchemy", "ruamel", "psutil"})


def test_best_imports_sqlalchemy_and_nothing_else_heavy(store_uri: str) -> None:
    modules = loaded_modules("best", "iris", env={"HPO_TRACKER": store_uri})
    assert "sqlalchemy" in modules
    assert not modules & LIGHT


FIRST_SWEEP = """
name: first
metric: {name: loss}
objective: {python: "first_objective:objective"}
parameters: {a: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: tpe}
budget: {n_trials: 1}
parallel: {n_jobs: 1, backend: serial}
"""


def test_a_run_begins_without_what_its_first_trial_does_not_need(tmp_path: Path) -> None:
    told = "import sys\n\ndef objective(params, trial):\n    print(*sys.modules)\n    return params['a']\n"
    (tmp_path / "first_objective.py").write_text(told)
    (tmp_path / "sweep.yaml").write_text(FIRST_SWEEP)
    done = subprocess.run([*HPO, "run", "sweep.yaml", "-q"], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[0].split())
    assert "sqlalchemy" in modules
    unneeded = {*LIGHT - {"numpy", "pydantic"}, "joblib", "http.client", "hpo.cli.run_summary"}
    assert not modules & (unneeded | {"sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql"})


def test_a_reader_that_goes_away_ends_it_quietly(store_uri: str) -> None:
    command = [*HPO, "trials", "iris", "-f", "json", "--tracker", store_uri]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything is written: the first write fails
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == main_module.STDOUT_CLOSED
    assert stderr == b""


def test_output_that_the_terminal_cannot_encode_is_shown_as_codes(store_uri: str, tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii", "HPO_TRACKER": store_uri}
    done = subprocess.run([*HPO, "show", "müll"], capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "no sweep 'm\\xfcll'" in done.stderr


def on_a_terminal(*args: str, env: dict[str, str]) -> str:
    """What `hpo` writes to a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*HPO, *args], stdout=theirs, stderr=theirs, env={"COLUMNS": "60", **env})
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side has closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert process.wait(30) == 0
    return seen.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_bold_head_and_the_columns_that_fit(store_uri: str) -> None:
    shown = on_a_terminal("best", "iris", env={"HPO_TRACKER": store_uri})
    said, note, head, *rows = shown.splitlines()
    assert said == "iris: best by roc_auc (maximize)"
    assert note.startswith("not shown for want of room: ")
    assert note.endswith("run_id; -f csv or a pipe shows all")
    assert head.startswith("\x1b[1mnumber  state     value")
    assert head.endswith("\x1b[0m")
    assert len(rows) == 3
    assert all(len(row) <= 60 for row in rows)


def test_nobody_who_objects_to_colour_gets_any(store_uri: str) -> None:
    assert "\x1b" not in on_a_terminal("ls", env={"HPO_TRACKER": store_uri, "NO_COLOR": "1"})
    assert "\x1b" not in on_a_terminal("ls", "--no-color", env={"HPO_TRACKER": store_uri})
