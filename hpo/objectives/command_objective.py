"""An objective that is any program: one run of it is one trial."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.errors import ObjectiveError, TrialFailed
from hpo.objective import Objective, TrialContext
from hpo.objectives.kept_files import keep_files
from hpo.objectives.metric_readers import json_reader, pattern_reader, read_file
from hpo.objectives.program import Command, Program
from hpo.objectives.program_lines import Lines
from hpo.objectives.program_log import program_log
from hpo.objectives.told_metrics import ToldMetrics
from hpo.placeholders import SEVERAL, Template, as_arguments, as_text
from hpo.space import Params
from hpo.trial import Metrics
from hpo.worker_variables import worker_variables

_INTERPRETER = re.compile(r"(\{python\}|(?:[^{}]*/)?(?:python[0-9.]*|(?:ba|da|z)?sh|Rscript|julia|perl|ruby|node))")
"""Programs whose first argument is the file to run, unless it is an option."""


@dataclass(frozen=True)
class MetricSource:
    """Where a program tells its metrics: in JSON lines on stdout, by patterns in what it prints, in a file."""

    lines: bool = True
    patterns: Sequence[str] = ()
    file: str = ""


@dataclass(frozen=True)
class CommandObjective:
    """Runs a program, never by a shell, and reads its metrics.

    `argv`, the values of `environment`, `cwd` and the metrics' file are texts with placeholders (`hpo.placeholders`);
    an argument or variable that names a parameter which the trial does not have is left out. `folder` is the sweep
    file's: relative paths are seen from there. `artifacts` are patterns of files below the trial's folder to keep,
    `model` is the MLflow model folder there which the program writes. The program starts as a worker process does, so
    that it repeats under every backend: with `inner_threads`, and a fixed seed of hashes; `environment` goes first.
    """

    argv: Sequence[str]
    metric: str
    folder: str
    source: MetricSource = MetricSource()  # frozen
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    artifacts: Sequence[str] = ()
    model: str = ""
    inner_threads: int | None = None

    def prepare(self) -> None:
        """Looks for the program, as far as its name is known before a trial; ObjectiveError where it is not there."""
        first = Template(self.argv[0]).fill({"python": sys.executable, "sweep_dir": self.folder})
        if first is not None:
            self._program(first, {**os.environ, **self.environment}.get("PATH"))
        cwd = Template(self.cwd).fill({"sweep_dir": self.folder})
        if cwd is not None and not Path(self.folder, cwd).is_dir():
            key = "cwd" if self.cwd else "command"
            raise ObjectiveError(f"objective.{key}: there is no folder {Path(self.folder, cwd)}")
        self._check_script(cwd)

    def __call__(self, params: Params, trial: TrialContext) -> Metrics:
        """The metrics that one run of the program told; TrialFailed where it did not end well."""
        values = self._values(params, trial)
        told = ToldMetrics(trial, self.metric)
        command = self._command(params, trial, values)
        with program_log(trial) as keep:
            try:
                self._run(command, told, keep)
            except TrialFailed:
                keep_files(trial, self.artifacts)
                raise
        keep_files(trial, self.artifacts)
        if self.model:
            trial.log_model(trial.dir / self.model, name=Path(self.model).name)
        if self.source.file:
            read_file(Path(command.folder, Template(self.source.file).fill(values) or ""), told)
        return told.metrics

    def _check_script(self, cwd: str | None) -> None:
        """Whether what an interpreter is to run is there, as far as that is known before a trial."""
        if len(self.argv) < 2 or not _INTERPRETER.fullmatch(self.argv[0]):
            return
        script = Template(self.argv[1]).fill({"sweep_dir": self.folder})
        if not script or script.startswith("-") or (cwd is None and not Path(script).is_absolute()):
            return
        if not (path := Path(self.folder, cwd or "", script)).exists():
            raise ObjectiveError(f"objective.command: there is no {path} for {self.argv[0]} to run")

    def _run(self, command: Command, told: ToldMetrics, keep: Callable[[bytes], None]) -> None:
        reader, lines = self._reader(told), Lines()

        def read(data: bytes) -> None:
            reader(lines.take(data))

        ending = Program(command, keep=keep, read=read).run()
        reader(lines.rest())
        ending.check()

    def _reader(self, told: ToldMetrics) -> Callable[[bytes], object]:
        if self.source.patterns:
            return pattern_reader(self.source.patterns, told)
        return json_reader(told) if self.source.lines else len

    def _command(self, params: Params, trial: TrialContext, values: Mapping[str, str]) -> Command:
        environment = self._environment(params, trial, values)
        argv = list(self._arguments(params, values))
        cwd = Path(self.folder, Template(self.cwd).fill(values) or "")
        try:
            program = self._program(argv[0], environment.get("PATH"))
        except ObjectiveError as error:
            raise TrialFailed("exception", str(error)) from error
        return Command([program, *argv[1:]], environment, str(cwd))

    def _arguments(self, params: Params, values: Mapping[str, str]) -> Sequence[str]:
        arguments: list[str] = []
        for text in self.argv:
            template = Template(text)
            if template.several is not None and template.several not in params:
                arguments += as_arguments(params, SEVERAL[template.several])
            elif (filled := template.fill(values)) is not None:
                arguments.append(filled)
        return arguments

    def _values(self, params: Params, trial: TrialContext) -> Mapping[str, str]:
        """What placeholders stand for; a parameter goes before what else has its name."""
        as_json = _json_of(params)
        file = trial.dir / "args.json"
        if any("args_json_file" in Template(text).names for text in (*self.argv, *self.environment.values())):
            file.write_text(as_json, encoding="utf-8")
        return {
            "trial_dir": str(trial.dir),
            "sweep_dir": self.folder,
            "number": str(trial.number),
            "seed": str(trial.seed),
            "python": sys.executable,
            "args_json": as_json,
            "args_json_file": str(file),
            **{name: as_text(value) for name, value in params.items()},
        }

    def _environment(self, params: Params, trial: TrialContext, values: Mapping[str, str]) -> Mapping[str, str]:
        own = {
            "HPO_TRIAL_NUMBER": str(trial.number),
            "HPO_TRIAL_SEED": str(trial.seed),
            "HPO_TRIAL_DIR": str(trial.dir),
            "HPO_PARAMS": _json_of(params),
        }
        filled = {name: Template(text).fill(values) for name, text in self.environment.items()}
        given = {name: text for name, text in filled.items() if text is not None}
        # or what a Python program prints comes all at once when it ends, and no report is in time
        pinned = worker_variables(self.inner_threads, os.environ)
        return {"PYTHONUNBUFFERED": "1", **os.environ, **pinned, **own, **given}

    def _program(self, name: str, path: str | None) -> str:
        """Where a program is: on PATH, or with a slash in its name as seen from the sweep file's folder."""
        wanted = str(Path(self.folder, name)) if "/" in name else name
        found = shutil.which(wanted, path=path)
        if found is not None:
            return str(Path(found).absolute())
        if "/" not in name:
            raise ObjectiveError(f"objective.command: there is no program {name!r} on PATH{_meant(self.folder, name)}")
        if not Path(wanted).is_file():
            raise ObjectiveError(f"objective.command: there is no program {wanted}")
        raise ObjectiveError(f"objective.command: {wanted} may not be executed: chmod +x {wanted}")


def _json_of(params: Params) -> str:
    import json

    return json.dumps(dict(params), ensure_ascii=False)


def _meant(folder: str, name: str) -> str:
    return f" - did you mean './{name}', which is beside the sweep file?" if Path(folder, name).is_file() else ""


_: type[Objective] = CommandObjective
