"""An objective named module:function: found, checked up front, and called."""

import itertools
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpo.attempt import run_attempt
from hpo.errors import ObjectiveError
from hpo.executors.names import make_executor
from hpo.objectives.python_objective import PythonObjective
from hpo.trial import Goal, Outcome, State, Trial

NUMBERS = itertools.count()

Make = Callable[[str, str], PythonObjective]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Writes a module (each of its own name: Python keeps what it imported) and names a function in it."""
    before = list(sys.path)

    def make(code: str, function: str = "objective") -> PythonObjective:
        name = f"written_for_a_test_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(code)
        return PythonObjective(f"{name}:{function}", search_path=(str(tmp_path),))

    yield make
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("written_for_a_test_")]:
        del sys.modules[name]


def outcome_of(objective: PythonObjective) -> Outcome:
    trial = Trial(4, {"x": 2.0}, seed=0)
    return run_attempt(objective, trial, metric="loss", goal=Goal.MINIMIZE, files=None)


@pytest.mark.parametrize(
    "code",
    [
        "def objective(params, trial): return params['x'] + trial.number",
        "def objective(params): return params['x'] + 4",
        "objective = lambda params, trial: params['x'] + trial.number",
        "def make(a):\n    def inner(params, *more): return params['x'] + a\n    return inner\nobjective = make(4)",
        "class Add:\n    def __call__(self, params, trial): return params['x'] + 4\nobjective = Add()",
        "from functools import partial\nobjective = partial(lambda a, params, trial=None: params['x'] + a, 4)",
    ],
)
def test_functions_lambdas_closures_and_callable_objects_are_called(code: str, make: Make) -> None:
    objective = pickle.loads(pickle.dumps(make(code)))

    assert outcome_of(objective).metrics == {"loss": 6.0}


def test_a_function_may_be_an_attribute_of_something(make: Make) -> None:
    code = "class Models:\n    @staticmethod\n    def ridge(params, trial): return {'loss': 1, 'other': 2}"

    assert outcome_of(make(code, "Models.ridge")).metrics == {"loss": 1.0, "other": 2.0}


def test_nothing_is_imported_before_it_is_needed(make: Make) -> None:
    objective = make("raise SystemExit('imported')")

    with pytest.raises(ObjectiveError, match="SystemExit: imported"):
        objective.resolve()


def test_a_module_is_imported_once(make: Make, tmp_path: Path) -> None:
    objective = make(
        f"with open({str(tmp_path / 'log')!r}, 'a') as log: log.write('x')\ndef objective(params): return 1"
    )
    for _ in range(3):
        outcome_of(objective)

    assert (tmp_path / "log").read_text() == "x"


def test_it_runs_in_worker_processes(make: Make, tmp_path: Path) -> None:
    objective = make("import os\nobjective = lambda params, trial: os.getppid()")
    executor = make_executor(
        "loky", slots=1, objective=objective, metric="loss", goal=Goal.MINIMIZE, files=None, scratch=tmp_path / "s"
    )
    try:
        executor.submit(Trial(0, {}, seed=0))
        (outcome,) = executor.wait(60)
    finally:
        executor.close()

    assert outcome.state is State.COMPLETE
    assert not any(name.startswith("written_for") for name in sys.modules)


@pytest.mark.parametrize(
    ("code", "function", "message"),
    [
        (
            "def objectve(params, trial): ...",
            "objective",
            r"there is no 'objective' in .*\.py; did you mean 'objectve'",
        ),
        ("objective = 3", "objective", r"must be a function\(params, trial\), got int 3"),
        ("class objective: ...", "objective", "got the class objective"),
        ("async def objective(params, trial): ...", "objective", "got an async function"),
        ("def objective(params, trial): yield 1", "objective", "got a generator function"),
        ("def objective(): ...", "objective", r"must take \(params, trial\) or \(params\), its signature is \(\)"),
        ("def objective(a, b, c): ...", "objective", r"its signature is \(a, b, c\)"),
        ("def objective(params, *, trial): ...", "objective", r"its signature is \(params, \*, trial\)"),
        ("import os\n\nx = undefined_name", "objective", r"\.py:3: x = undefined_name\n  NameError: name 'undefined"),
        ("def objective(:", "objective", r"cannot be imported: .*\.py:1: SyntaxError"),
        ("import no_such_library", "objective", r"\.py:1: import no_such_library\n  ModuleNotFoundError: No module"),
        ("import json\njson.loads('{')", "objective", r"\.py:2: json\.loads\('\{'\)\n  JSONDecodeError"),
    ],
)
def test_what_is_wrong_with_the_module_is_said(code: str, function: str, message: str, make: Make) -> None:
    with pytest.raises(ObjectiveError, match=message):
        make(code, function).resolve()


@pytest.mark.parametrize("entry", ["digits", "digits:", ":objective", "examples/digits.py:objective", "digits.py:run"])
def test_a_name_of_another_form_is_refused(entry: str) -> None:
    with pytest.raises(ObjectiveError, match="must be 'module:function'"):
        PythonObjective(entry).resolve()


def test_a_missing_module_names_the_places_and_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "digits.py").touch()
    before = list(sys.path)
    try:
        with pytest.raises(ObjectiveError) as caught:
            PythonObjective("digit:objective", search_path=(str(tmp_path),)).resolve()
    finally:
        sys.path[:] = before

    assert str(caught.value) == (
        f"digit: there is no module 'digit' in {tmp_path} or among the installed packages; did you mean 'digits'?"
    )


def test_a_missing_module_of_a_package_names_the_nearest_in_it() -> None:
    with pytest.raises(ObjectiveError, match=r"no module 'hpo\.triall' in .*hpo; did you mean 'trial'"):
        PythonObjective("hpo.triall:objective").resolve()
