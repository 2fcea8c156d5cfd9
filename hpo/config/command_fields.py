"""The sweep file's keys of an objective that is any program."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hpo.config.fields import Section, Text, VariableName, broken, listed
from hpo.config.line_pattern import fault_of_pattern, groups_of
from hpo.errors import ConfigError
from hpo.placeholders import FIXED, Template

_PATTERNS = Annotated[list[Text], Field(min_length=1)]


class CommandMetrics(Section):
    """Where a program tells its metrics: on stdout, in JSON lines or as patterns find them, or in a file, or both."""

    stdout: Literal["json"] | None = None
    """Lines that are JSON objects, such as {"step": 3, "rmse": 0.5}; one with a step is a report."""
    regex: Annotated[_PATTERNS, BeforeValidator(listed, json_schema_input_type=Text | _PATTERNS)] | None = None
    """Patterns that are looked for in each line, such as rmse=(?P<rmse>[0-9.eE+-]+); one with a group step reports."""
    file: Text | None = None
    """A file with one JSON object, such as {trial_dir}/metrics.json, which the program has written when it ends."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "CommandMetrics":
        if self.stdout is None and self.regex is None and self.file is None:
            raise broken("give stdout: json, regex (a pattern), or file (a path)")
        if self.stdout is not None and self.regex is not None:
            raise broken("give stdout or regex, not both", "regex", on_key=True)
        for position, pattern in enumerate(self.regex or []):
            if fault := fault_of_pattern(pattern):
                raise broken(fault, "regex", position)
        _check_fixed(self.file, "file")
        return self

    @property
    def reports(self) -> bool:
        """Whether the program can report on its way."""
        return self.stdout is not None or any("step" in groups_of(pattern) for pattern in self.regex or [])


def _argument_list(value: object) -> object:
    if isinstance(value, str):
        raise broken("must be an argv list, never a shell: [python, train.py], or [sh, -c, '...'] where you want one")
    for position, argument in enumerate(value if isinstance(value, list) else []):
        if isinstance(argument, dict | list):
            raise broken("must be text: put quotes around what holds { or [", position)
    return value


class CommandKeys(Section):
    """The keys of an objective that is any program; `command` is the one that makes it so."""

    command: (
        Annotated[
            list[Text],
            Field(min_length=1, max_length=1000, examples=[["python", "train.py", "{args}"]]),
            BeforeValidator(_argument_list),
        ]
        | None
    ) = None
    """Run this program: an argv list, never a shell. {name} is a parameter's value, {args} every --name=value."""
    metrics: CommandMetrics | None = None
    """Where the program tells its metrics; JSON lines on stdout where left out."""
    cwd: Text | None = None
    """The program's working folder, such as {trial_dir}; the sweep file's folder where left out."""
    env: dict[VariableName, Annotated[str, Field(max_length=30_000)]] | None = None
    """Environment variables of the program, on top of the driver's; values may hold placeholders."""
    artifacts: list[Text] | None = None
    """Files below {trial_dir} that are kept with the trial's run, as patterns such as model/** or *.png."""

    model: Text | None = None
    """The MLflow model folder that the program writes below {trial_dir}, such as model: kept, and can be registered."""

    @model_validator(mode="after")
    def _has_a_command(self) -> "CommandKeys":
        for key in ("metrics", "cwd", "env", "artifacts", "model"):
            if self.command is None and getattr(self, key) is not None:
                raise broken("belongs to command, an argv list: there is none", key, on_key=True)
        _check_fixed(self.cwd, "cwd")
        for position, pattern in enumerate(self.artifacts or []):
            if fault := _fault_of_artifact(pattern):
                raise broken(fault, "artifacts", position)
        if self.model is not None and (_fault_of_artifact(self.model) or set(self.model) & set("*?[")):
            raise broken("must be a folder below {trial_dir}, such as model", "model")
        if self.metrics is not None and self.metrics.file and not self._is_of_one_trial(self.metrics.file):
            text = "trials would write the same file, and read each other's: begin with {trial_dir}/"
            raise broken(text, "metrics", "file")
        return self

    @property
    def command_reports(self) -> bool:
        """Whether the program can report on its way."""
        return self.metrics is None or self.metrics.reports

    @property
    def command_texts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """All texts that may hold parameters, and the keys that lead to each from the objective."""
        for position, argument in enumerate(self.command or []):
            yield ("command", position), argument
        for name, text in (self.env or {}).items():
            yield ("env", name), text

    def _is_of_one_trial(self, file: str) -> bool:
        own = {"trial_dir", "number"}
        is_own_folder = not own.isdisjoint(Template(self.cwd or "").names) and not file.startswith("/")
        return not own.isdisjoint(Template(file).names) or is_own_folder


def _check_fixed(text: str | None, key: str) -> None:
    if text is None:
        return
    try:
        strange = [name for name in Template(text).names if name not in FIXED]
    except ConfigError as error:
        raise broken(str(error), key) from None
    if strange:
        raise broken(f"may hold {', '.join(f'{{{name}}}' for name in FIXED)}, got {{{strange[0]}}}", key)


def _fault_of_artifact(pattern: str) -> str | None:
    path = PurePosixPath(pattern.removeprefix("{trial_dir}/"))
    if path.is_absolute() or ".." in path.parts or "{" in str(path):
        return "must be a pattern of files below {trial_dir}, such as model/** or *.png"
    return None
