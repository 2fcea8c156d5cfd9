"""Where two runs came from, compared: captured code and environment, and what the record does not tell."""

from dataclasses import replace

from hpo.captures import CAPTURE_TAG, NO_CAPTURE, NOT_CAPTURED, new_capture
from hpo.on_both_sides import Origin, code_label, code_part, environment_part, origin_of, same_code
from hpo.provenance.code import Code
from hpo.provenance.environment import Environment
from trackers.memory_tracker import MemoryTracker
from trackers.records import Run, RunStarted, Status

CODE = Code(files={"train.py": b"RATE = 1\n"}, without="no repository")
ENVIRONMENT = Environment(python="3.11.9", implementation="CPython", packages={"numpy": "1.26.4", "scipy": "1.14.0"})


def run(name: str, **tags: str) -> Run:
    return Run(
        name, name, "e", Status.FINISHED, 0, 1, "", tags={name.replace("_", "."): text for name, text in tags.items()}
    )


def origin(name: str, code: Code = CODE, environment: Environment = ENVIRONMENT, *, trial: bool = False) -> Origin:
    captured = new_capture(code, environment, ["hpo"])
    sweep = run(name, **{CAPTURE_TAG: captured.key})
    return Origin(sweep, run(f"{name}#0") if trial else None, captured)


def test_captured_code_is_compared_line_by_line() -> None:
    other = replace(CODE, files={"train.py": b"RATE = 2\n", "new.py": b"x\n"})
    part = code_part(origin("a"), origin("b", other))
    assert part.same is False
    assert [change.name for change in part.changes] == ["train.py", "new.py"]
    assert "-RATE = 1\n+RATE = 2" in part.changes[0].detail


def test_equal_captures_of_two_sweeps_are_the_same_code() -> None:
    part = code_part(origin("a"), origin("b", replace(CODE, root="/elsewhere")))
    assert part.same is True
    assert part.note.startswith("files+")
    assert same_code([origin("a"), origin("b"), origin("c")]) is True


def test_commits_that_no_repository_here_has_are_named_with_the_way_out() -> None:
    old, new = (Code(commit=mark * 40, root="/nowhere") for mark in "ab")
    part = code_part(origin("a", old), origin("b", new))
    assert [str(change) for change in part.changes] == ["code commit: aaaaaaaaaa -> bbbbbbbbbb"]
    assert part.limits == ["no repository here has both commits; name a clone that has: --repository DIR"]


def test_edits_that_were_not_to_be_captured_leave_it_open() -> None:
    edited = Code(commit="a" * 40, dirty=True)
    part = code_part(origin("a", edited), origin("b", edited))
    assert part.same is None
    assert "capture.diff was false" in part.note


def test_files_that_were_left_out_are_named() -> None:
    part = code_part(origin("a", replace(CODE, left_out={"keys.py": "it holds a secret"})), origin("b"))
    assert part.limits == ["not compared, since it was not captured: keys.py (it holds a secret)"]


def test_code_that_was_not_to_be_captured_is_known_by_its_commit_alone() -> None:
    without = origin("a", Code(without=NOT_CAPTURED))
    assert without.code is None
    assert code_part(without, origin("b")).same is None
    assert code_part(without, origin("b")).note == "not on record"


def test_trials_of_one_capture_have_one_code_and_of_two_may_differ() -> None:
    first = origin("a", trial=True)
    assert code_part(first, first).same is True
    assert code_part(first, first).note.startswith("one sweep, one code: files+")
    other = new_capture(replace(CODE, files={"train.py": b"RATE = 3\n"}), ENVIRONMENT, [])
    later = replace(first, trial=run("a#9", **{CAPTURE_TAG: other.key}), capture=other)
    assert code_part(first, later).same is False


def test_a_trial_that_ran_without_a_capture_is_not_taken_for_the_same() -> None:
    sweep = run("a", **{CAPTURE_TAG: "k1", "hpo.python": "3.11.9"})
    lost = Origin(sweep, run("a#9", **{CAPTURE_TAG: NO_CAPTURE}))
    assert code_part(lost, lost).same is None
    assert environment_part(lost, lost).same is None


def test_a_sweep_that_went_on_with_other_code_says_so() -> None:
    part = code_part(replace(origin("a"), others=["k2"]), origin("b"))
    assert part.limits == ["a went on with other code or elsewhere: shown is where it began"]


def test_environments_differ_by_python_and_packages() -> None:
    other = replace(ENVIRONMENT, python="3.12.1", packages={"numpy": "2.1.0"})
    part = environment_part(origin("a"), origin("b", environment=other))
    assert [str(change) for change in part.changes] == [
        "python version: CPython 3.11.9 -> CPython 3.12.1",
        "package numpy: 1.26.4 -> 2.1.0",
        "package scipy: 1.14.0 -> nothing",
    ]
    assert environment_part(origin("a"), origin("b")).note == "Python 3.11.9, 2 packages"


def test_a_capture_whose_files_are_gone_is_said_and_nothing_else_breaks() -> None:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted("a" * 32, "gone", "e", 0, tags={CAPTURE_TAG: "k1"})])
    found = origin_of(tracker, tracker.get("a" * 32))
    assert found.capture is None
    part = code_part(found, origin("b"))
    assert part.same is None
    assert "capture k1 of 'gone' is named on record, but its files are not there" in part.limits[0]


def test_a_label_names_commit_and_edits() -> None:
    clean, edited = Code(commit="a" * 40), Code(commit="a" * 40, patch=b"x", dirty=True)
    assert code_label(origin("a", clean)) == "aaaaaaaa"
    assert code_label(origin("a", edited)).startswith("aaaaaaaa+")
    tags = {"mlflow.source.git.commit": "b" * 40, "hpo.git.dirty": "true"}
    assert code_label(Origin(run("a", **tags))) == "bbbbbbbb+edits"
    assert code_label(Origin(run("a"))) == ""
