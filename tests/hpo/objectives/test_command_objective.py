"""Real programs as trials: what they are given, what is read from them, and how each of their ends is told."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from hpo.attempt import run_attempt
from hpo.errors import ObjectiveError
from hpo.executors.limits import Limits
from hpo.executors.names import make_executor
from hpo.objectives.command_objective import CommandObjective, MetricSource
from hpo.trial import Goal, Outcome, Report, SavedFile, SavedModel, State, Trial

NOTHING = MetricSource(lines=False)
DONE = 'echo "{{\\"loss\\": 1}}"'
OWN = f"4711.{os.getpid()}"
"""In scripts 4711.0 stands for this, so that other runs of these tests sleep for another time."""
LARGEST_LOG = 11 * 2**20


@dataclass(frozen=True)
class FolderFiles:
    """Real files in a folder."""

    root: Path

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return [SavedFile(name, target.stat().st_size, "0" * 64)]

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        raise NotImplementedError


class Bench:
    """Runs programs as trials of a sweep in a folder; `kept` is where their files go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sweep"
        self.folder.mkdir()
        self.kept = folder / "kept"
        self.scratch = folder / "scratch"

    def objective(self, *argv: str, **more: object) -> CommandObjective:
        settings = {"metric": "loss", "folder": str(self.folder), **more}
        return CommandObjective(argv=[text.replace("4711.0", OWN) for text in argv], **settings)  # type: ignore[arg-type]  # a test's own keywords

    def run(
        self, *argv: str, params: Mapping[str, object] | None = None, ask: object = None, **more: object
    ) -> Outcome:
        trial = Trial(7, params or {}, seed=99, directory=str(self.scratch / "7-1"))  # type: ignore[arg-type]
        return run_attempt(
            self.objective(*argv, **more),
            trial,
            metric="loss",
            goal=Goal.MINIMIZE,
            files=FolderFiles(self.kept),
            ask=ask,  # type: ignore[arg-type]
        )

    def sh(self, script: str, **more: object) -> Outcome:
        return self.run("sh", "-c", script, **more)

    @property
    def printed(self) -> bytes:
        return (self.kept / "logs" / "output.log").read_bytes()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def points(outcome: Outcome) -> list[tuple[str, int, float]]:
    return [(report.metric, report.step, report.value) for report in outcome.reports]


def arguments_of(process: psutil.Process) -> list[str]:
    try:
        return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()
    except psutil.Error:  # gone meanwhile
        return []


def is_running(word: str) -> bool:
    word = word.replace("4711.0", OWN)
    return any(word in argument for process in psutil.process_iter() for argument in arguments_of(process))


def gone(word: str) -> bool:
    """Whether no process has the word among its arguments any more; a killed one may take a moment."""
    deadline = time.monotonic() + 60
    while is_running(word) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(word)


# what a program is given


def test_arguments_hold_the_params_so_that_they_read_back_the_same(bench: Bench) -> None:
    show = "import json, sys; json.dump(sys.argv[1:], open(sys.argv[-1], 'w')); print('{{\"loss\": 0}}')"
    params = {"eta": 0.1 + 0.2, "tiny": 5e-324, "n": 2**60, "on": True, "none": None, "text": "a b'$HOME\"{x}"}
    file = str(bench.folder / "seen.json")
    outcome = bench.run(
        "{python}", "-c", show, "{args}", "--eta={eta}", "{{{n}}}", "{number}/{seed}", file, params=params
    )
    assert outcome.state is State.COMPLETE, outcome.error
    seen = json.loads(Path(file).read_text())
    assert seen[:6] == [
        "--eta=0.30000000000000004",
        "--tiny=5e-324",
        f"--n={2**60}",
        "--on=true",
        "--none=null",
        "--text=a b'$HOME\"{x}",
    ]
    assert seen[6:9] == ["--eta=0.30000000000000004", f"{{{2**60}}}", "7/99"]


def test_an_argument_of_a_parameter_that_the_trial_does_not_have_is_left_out(bench: Bench) -> None:
    outcome = bench.run(
        "sh", "-c", f'test "$*" = "--a=1 a=1"; test -z "$DEPTH" && {DONE}', "sh", "--depth={depth}", "--a={a}",
        "{args_no_hyphens}", params={"a": 1}, environment={"DEPTH": "{depth}"},
    )  # fmt: skip
    assert outcome.metrics == {"loss": 1.0}


def test_the_environment_names_the_trial_and_holds_what_the_file_adds(bench: Bench) -> None:
    script = (
        'test "$HPO_TRIAL_NUMBER $HPO_TRIAL_SEED $RATE" = "7 99 eta-0.5" || exit 1; '
        'test -d "$HPO_TRIAL_DIR" || exit 2; '
        'test "$HPO_PARAMS" = \'{args_json}\' || exit 3; cat "$1"'
    )
    outcome = bench.run(
        "sh",
        "-c",
        script,
        "sh",
        "{args_json_file}",
        params={"eta": 0.5, "loss": 3.0},
        environment={"RATE": "eta-{eta}"},
    )
    assert (outcome.error, outcome.metrics) == ("", {"eta": 0.5, "loss": 3.0})


def test_a_program_starts_with_fixed_threads_and_hashes_which_the_file_may_set_otherwise(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    script = f'test "$OMP_NUM_THREADS $MKL_NUM_THREADS $PYTHONHASHSEED" = "3 2 0" && {DONE}'

    outcome = bench.sh(script, inner_threads=2, environment={"OMP_NUM_THREADS": "3"})

    assert outcome.state is State.COMPLETE


def test_a_program_runs_in_the_sweep_files_folder_or_where_cwd_says(bench: Bench) -> None:
    assert bench.sh(f'test "$PWD" = "{bench.folder}" && {DONE}').state is State.COMPLETE
    assert bench.sh(f'test "$PWD" = "{{trial_dir}}" && {DONE}', cwd="{trial_dir}").state is State.COMPLETE


def test_a_program_is_found_beside_the_sweep_file_before_the_first_trial(bench: Bench) -> None:
    script = bench.folder / "train.sh"
    script.write_text('#!/bin/sh\necho "{\\"loss\\": 2}"\n')
    with pytest.raises(ObjectiveError, match=r"train.sh may not be executed: chmod \+x"):
        bench.objective("./train.sh").prepare()
    with pytest.raises(ObjectiveError, match=r"no program 'train.sh' on PATH - did you mean './train.sh'"):
        bench.objective("train.sh").prepare()
    with pytest.raises(ObjectiveError, match=r"there is no program .*/other.sh"):
        bench.objective("./other.sh").prepare()
    with pytest.raises(ObjectiveError, match=r"objective.cwd: there is no folder .*/nowhere"):
        bench.objective("sh", cwd="nowhere").prepare()
    with pytest.raises(ObjectiveError, match=r"objective.command: there is no .*/other.py for \{python\} to run"):
        bench.objective("{python}", "{sweep_dir}/other.py").prepare()
    for argv in (["sh", "-c", "exit"], ["sh", "train.sh"], ["python3", "{x}"], ["printf", "other.py"]):
        bench.objective(*argv).prepare()
    bench.objective("sh", "written-by-the-trial.sh", cwd="{trial_dir}").prepare()
    script.chmod(0o755)
    bench.objective("./train.sh").prepare()
    assert bench.run("./train.sh", cwd="{trial_dir}").metrics == {"loss": 2.0}


# what is read from it


def test_lines_with_a_step_are_reports_and_the_last_line_without_one_is_the_result(bench: Bench) -> None:
    script = (
        """
    print('starting {"loss": 100}')
    print('{"step": 0, "loss": 0.9, "accuracy": 0.1, "note": "warm", "ok": true}')
    print('{"step": 1.0, "loss": 0.8}\\r', end='')
    print('{"loss": broken}', '[1, 2]', '{"a": {', sep='\\n')
    print('  {"loss": 0.7, "size": 3}')
    print('{"loss": 0.6}', end='')
    """.replace("    ", "")
        .replace("{", "{{")
        .replace("}", "}}")
    )
    outcome = bench.run("{python}", "-c", script)
    assert points(outcome) == [("accuracy", 0, 0.1), ("loss", 0, 0.9), ("loss", 1, 0.8)]
    assert outcome.metrics == {"loss": 0.6, "accuracy": 0.1, "size": 3.0}


def test_the_last_report_is_the_result_where_there_is_no_other(bench: Bench) -> None:
    outcome = bench.sh('for i in 1 2 3; do echo "{{\\"step\\": $i, \\"loss\\": 0.$i}}"; done')
    assert outcome.metrics == {"loss": 0.3}


def test_a_file_tells_the_metrics(bench: Bench) -> None:
    source = MetricSource(lines=False, file="{trial_dir}/metrics.json")
    outcome = bench.sh(
        'echo "{{\\"loss\\": 0.25, \\"kind\\": \\"svc\\"}}" > "$HPO_TRIAL_DIR/metrics.json"', source=source
    )
    assert outcome.metrics == {"loss": 0.25}


@pytest.mark.parametrize(
    ("content", "reason", "text"),
    [
        (None, "no_result", "ended well but wrote no"),
        ("", "invalid_result", "must hold a JSON object"),
        ("[1]", "invalid_result", "must hold a JSON object"),
        ('{"loss": {"mean": 1}}', "invalid_result", "'loss' must be a number, got an object"),
        ('{"loss": "low"}', "invalid_result", "must be a number, got str 'low'"),
        ('{"accuracy": 1, "size": 2}', "no_result", "got 'accuracy', 'size'"),
        ('{"loss": NaN}', "nonfinite", "must be finite"),
        ('{"loss": 1' + " " * 2**20 + "}", "invalid_result", "larger than"),
        ("[" * 100_000, "invalid_result", "must hold a JSON object"),
    ],
)
def test_a_file_that_tells_nothing_usable_is_a_failure(
    bench: Bench, content: str | None, reason: str, text: str
) -> None:
    source = MetricSource(lines=False, file="{trial_dir}/m.json")
    (bench.folder / "given").write_text(content or "")
    outcome = bench.sh("true" if content is None else 'cp given "$HPO_TRIAL_DIR/m.json"', source=source)
    assert (outcome.state, outcome.reason) == (State.FAILED, reason)
    assert text in outcome.error


def test_patterns_find_metrics_in_any_text(bench: Bench) -> None:
    patterns = (r"epoch (?P<step>\d+): loss (?P<loss>\S+), acc (?P<acc>\S+)", r"final: (?P<loss>[0-9.e-]+)")
    text = "epoch 1: loss 0.5, acc 0.1\nepoch 2: loss 0.4, acc n/a\nfinal: 9 final: 3e-1\n"
    (bench.folder / "log.txt").write_text(text)
    outcome = bench.run("cat", "log.txt", source=MetricSource(patterns=patterns))
    assert points(outcome) == [("acc", 1, 0.1), ("loss", 1, 0.5), ("loss", 2, 0.4)]
    assert outcome.metrics == {"loss": 0.3, "acc": 0.1}


def test_a_report_without_a_whole_number_as_step_is_a_failure(bench: Bench) -> None:
    outcome = bench.sh('echo "{{\\"step\\": 1.5, \\"loss\\": 1}}"')
    assert (outcome.reason, outcome.error) == (
        "invalid_result",
        "a report's step must be a whole number, got float 1.5",
    )


def test_a_program_that_reports_without_end_is_ended(bench: Bench) -> None:
    script = 'yes "{{\\"step\\": 1, \\"a\\": 1, \\"b\\": 1, \\"c\\": 1, \\"d\\": 1, \\"e\\": 1, \\"loss\\": 1}}"'
    outcome = bench.sh(script)
    assert (outcome.reason, outcome.error) == ("invalid_result", "reported more than 100,000 values")
    assert len(outcome.reports) <= 100_000


# how it ends


@pytest.mark.parametrize(
    ("script", "reason", "text"),
    [
        ("echo no luck >&2; echo; exit 3", "exit:3", "the program ended with exit code 3: no luck"),
        ("kill -SEGV $$", "signal:11", "the program was ended by signal 11, SIGSEGV"),
        ("kill -KILL $$", "signal:9", "the program was ended by signal 9, SIGKILL"),
        ("true", "no_result", "the result must hold the sweep's metric 'loss', got no metric at all"),
        ('echo "{{\\"los\\": 1}}"', "no_result", "the result must hold the sweep's metric 'loss', got 'los'"),
        ('echo "{{\\"loss\\": Infinity}}"', "nonfinite", "the result must be finite, got loss = inf"),
    ],
)
def test_each_way_to_end_badly_has_its_reason(bench: Bench, script: str, reason: str, text: str) -> None:
    outcome = bench.sh(script)
    assert (outcome.state, outcome.reason, outcome.error, outcome.traceback) == (State.FAILED, reason, text, "")


def test_a_program_that_was_there_and_is_gone_fails_the_trial(bench: Bench) -> None:
    outcome = bench.run("{which}", params={"which": "no-such-program"})
    assert (outcome.reason, outcome.error) == (
        "exception",
        "objective.command: there is no program 'no-such-program' on PATH",
    )
    script = bench.folder / "text.sh"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    assert "Exec format error" in bench.run("./text.sh").error
    assert "null byte" in bench.run("sh", "{a}", params={"a": "\x00"}).error


def test_a_flood_of_output_costs_neither_memory_nor_disk(bench: Bench) -> None:
    before = psutil.Process().memory_info().rss
    flood = "head -c 60000000 /dev/zero | tr '\\0' 'x'; head -c 60000000 /dev/zero; yes | head -c 30000000; echo; "
    outcome = bench.sh(flood + DONE + "; yes | head -c 100 >&2; echo last >&2")
    assert outcome.metrics == {"loss": 1.0}, outcome.error
    assert psutil.Process().memory_info().rss - before < 60 * 2**20
    assert len(bench.printed) < LARGEST_LOG
    assert bench.printed.endswith(b"last\n")
    assert b"the middle was cut out" in bench.printed


def test_bytes_that_are_no_text_are_passed_over(bench: Bench) -> None:
    outcome = bench.sh("printf '\\377\\376{{\\n\\000\\n{{\"loss\\377\": 3}}\\n'; " + DONE)
    assert outcome.metrics["loss"] == 1.0
    assert b"\xff\xfe{\n\x00\n" in bench.printed


def test_a_program_may_close_its_output_and_go_on(bench: Bench) -> None:
    outcome = bench.sh(DONE + "; exec >&- 2>&-; sleep 0.5; touch went-on")
    assert outcome.state is State.COMPLETE
    assert (bench.folder / "went-on").exists()


def test_what_a_program_leaves_running_ends_with_it(bench: Bench) -> None:
    outcome = bench.sh(f"sleep 4711.01 & {DONE}")
    assert outcome.state is State.COMPLETE
    assert gone("4711.01")


@pytest.mark.skipif(shutil.which("setsid") is None, reason="there is no setsid program")
@pytest.mark.parametrize("daemon", ["sleep 4711.02", "yes 4711.02"])
def test_a_daemon_that_keeps_the_output_open_does_not_keep_the_trial(bench: Bench, daemon: str) -> None:
    outcome = bench.sh(f"setsid {daemon} & {DONE}")
    assert outcome.state is State.COMPLETE
    assert gone("4711.02")


def test_a_pruned_program_may_close_down_and_what_it_says_then_does_not_count(bench: Bench) -> None:
    script = (
        'trap \'touch closed; echo "{{\\"step\\": 9, \\"loss\\": 0}}"; exit 0\' TERM; '
        'for i in 1 2 3; do echo "{{\\"step\\": $i, \\"loss\\": $i}}"; done; sleep 4711.03 & wait'
    )
    asked: list[int] = []

    def ask(reports: Sequence[Report]) -> bool:
        asked.extend(report.step for report in reports)
        return asked[-1] >= 2

    outcome = bench.sh(script, ask=ask)
    assert (outcome.state, asked) == (State.PRUNED, [1, 2])
    assert points(outcome) == [("loss", 1, 1.0), ("loss", 2, 2.0)]
    assert (bench.folder / "closed").exists()
    assert gone("4711.03")


def test_a_pruned_program_that_does_not_hear_is_killed(bench: Bench) -> None:
    script = 'trap \'\' TERM; echo "{{\\"step\\": 1, \\"loss\\": 1}}"; exec 2>&- >&-; sleep 4711.04; sleep 4711.04'
    outcome = bench.sh(script, ask=lambda reports: True)
    assert outcome.state is State.PRUNED
    assert gone("4711.04")


# what is kept


def test_files_that_patterns_name_are_kept_also_when_the_program_fails(bench: Bench) -> None:
    script = (
        "mkdir -p model/deep plots; echo 1 > model/MLmodel; echo 2 > model/deep/.w; echo 3 > a.png; "
        "echo 4 > plots/b.png; "
        "echo 5 > left.txt; ln -s /etc/passwd model/link; exit 4"
    )
    for patterns in (["model/**", "*.png"], ["model", "?.png"]):
        shutil.rmtree(bench.kept, ignore_errors=True)
        outcome = bench.sh(script, cwd="{trial_dir}", artifacts=patterns)
        assert outcome.reason == "exit:4"
        assert sorted(file.path for file in outcome.files) == ["a.png", "model/MLmodel", "model/deep/.w"]


# other languages


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_compiled_program(bench: Bench) -> None:
    (bench.folder / "main.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n"
        'int main(int n, char **a) { for (int s = 1; s < 4; s++) printf("s=%d loss=%.17g\\n", s, atof(a[1]) / s);\n'
        "  return n - 2; }\n"
    )
    subprocess.run(["cc", "-o", bench.folder / "main", bench.folder / "main.c"], check=True)
    source = MetricSource(patterns=(r"s=(?P<step>\d+) loss=(?P<loss>\S+)",))
    outcome = bench.run("./main", "{x}", params={"x": 0.3}, source=source)
    assert points(outcome) == [("loss", 1, 0.3), ("loss", 2, 0.3 / 2), ("loss", 3, 0.3 / 3)]


@pytest.mark.parametrize(
    ("program", "argv"),
    [
        ("perl", ["-e", r'printf("{{\"loss\": %s}}\n", $ARGV[0] * 2)', "{x}"]),
        ("awk", ['BEGIN {{ printf("{{\\"loss\\": %s}}\\n", ARGV[1] * 2) }}', "{x}"]),
        ("Rscript", ["-e", r'cat(sprintf("{{\"loss\": %g}}\n", as.numeric(commandArgs(TRUE)[1]) * 2))', "{x}"]),
        ("node", ["-e", "console.log(JSON.stringify({{loss: Number(process.argv[1]) * 2}}))", "{x}"]),
    ],
)
def test_other_languages(bench: Bench, program: str, argv: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    assert bench.run(program, *argv, params={"x": 1.5}).metrics == {"loss": 3.0}


# in worker processes


def outcomes_of(bench: Bench, objective: CommandObjective, backend: str, **more: object) -> Outcome:
    executor = make_executor(
        backend,
        slots=1,
        objective=objective,
        metric="loss",
        goal=Goal.MINIMIZE,
        files=FolderFiles(bench.kept),
        scratch=bench.scratch,
        **more,  # type: ignore[arg-type]
    )
    try:
        executor.submit(Trial(0, {}, seed=1))
        [outcome] = executor.wait(60)
        return outcome
    finally:
        executor.close()


@pytest.mark.parametrize("backend", ["loky", "threading", "serial"])
def test_what_a_program_prints_is_kept_by_every_backend(bench: Bench, backend: str) -> None:
    outcome = outcomes_of(bench, bench.objective("sh", "-c", f"echo out; echo err >&2; {DONE}"), backend)
    assert outcome.metrics == {"loss": 1.0}
    assert [file.path for file in outcome.files] == ["logs/output.log"]
    assert sorted(bench.printed.split(b"\n")) == [b"", b"err", b"out", b'{"loss": 1}']


def test_a_program_that_hangs_may_close_down_when_its_time_is_over(bench: Bench) -> None:
    script = "echo begun; trap 'sleep 0.3; echo closed; exit 0' TERM; sleep 4711.05 & wait"
    outcome = outcomes_of(bench, bench.objective("sh", "-c", script), "loky", limits=Limits(timeout=0.7))
    assert (outcome.state, outcome.reason) == (State.FAILED, "timeout")
    assert bench.printed == b"begun\nclosed\n"
    assert gone("4711.05")


def test_a_program_that_holds_too_much_memory_is_ended(bench: Bench) -> None:
    script = "x = bytearray(400 * 2**20); import time; time.sleep(4711)"
    objective = bench.objective("{python}", "-c", script)
    outcome = outcomes_of(bench, objective, "loky", limits=Limits(memory=300 * 2**20))
    assert outcome.reason == "oom"


DRIVER = """
import sys
from pathlib import Path
from hpo.executors.names import make_executor
from hpo.objectives.command_objective import CommandObjective
from hpo.trial import Goal, Trial

if __name__ == "__main__":
    folder, backend = sys.argv[1:]
    script = "setsid sleep 4711.06 & touch up; sleep 4711.06"
    objective = CommandObjective(argv=("sh", "-c", script), metric="loss", folder=folder)
    executor = make_executor(
        backend, slots=1, objective=objective, metric="loss", goal=Goal.MINIMIZE, files=None, scratch=Path(folder, "s")
    )
    executor.submit(Trial(0, {}, seed=1))
    executor.wait(None)
"""


@pytest.mark.parametrize("backend", ["loky", "threading", "serial"])
def test_programs_end_with_a_driver_that_is_killed(bench: Bench, backend: str) -> None:
    file = bench.folder / "driver.py"
    file.write_text(DRIVER.replace("4711.0", OWN))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen([sys.executable, file, bench.folder, backend], env=environment)
    try:
        deadline = time.monotonic() + 60
        while not (bench.folder / "up").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert is_running("4711.06")
    finally:
        driver.kill()
        driver.wait()
    assert gone("4711.06")
