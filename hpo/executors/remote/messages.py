"""What driver and slot host say to each other, as JSON: a mapping with its kind as `say`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from hpo.executors.remote.checked import checked
from hpo.executors.remote.frames import BadFrame
from hpo.executors.result_folder import outcome_from
from hpo.failure_text import failure_line
from hpo.plain import STEP_LIMIT
from hpo.trial import Outcome, Question, Report, Trial

Message = Mapping[str, object]


def encoded(say: str, **facts: object) -> bytes:
    """A message as the body of a frame."""
    return json.dumps({"say": say, **facts}, separators=(",", ":")).encode("ascii")


def decoded(body: bytes, *expected: str) -> Message:
    """The message in a body, of an expected kind (none named: any); BadFrame for all else."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadFrame("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("say"), str):
        raise BadFrame("no message")
    if expected and message["say"] not in expected:
        raise BadFrame(f"'{message['say'][:50]}' where {' or '.join(expected)} was expected")
    return message


def trial_facts(trial: Trial) -> dict[str, object]:
    """A trial as JSON has it."""
    return {**asdict(trial), "params": dict(trial.params), "front": [list(values) for values in trial.front]}


def trial_from(facts: object) -> Trial:
    """The trial of `trial_facts`; TypeError or KeyError for all else."""
    if not isinstance(facts, dict):
        raise TypeError("no trial")
    return Trial(**{**facts, "front": tuple(tuple(values) for values in facts["front"])})


def question_facts(question: Question) -> list[tuple[int, float, int]]:
    """What is reported in a question, without the metric's name, which the driver knows."""
    return [(report.step, report.value, report.timestamp) for report in question.reports]


def question_from(trial: Trial, metric: str, reports: object) -> Question:
    """The question that a trial asks; BadFrame where it is none."""
    if not isinstance(reports, list):
        raise BadFrame("no reports")
    return Question(trial.number, trial.attempt, [_report(metric, report) for report in reports])


def outcome_of(message: Message, trial: Trial, wanted: Sequence[str] = ()) -> Outcome:
    """The outcome in a message; BadFrame where it is none of this trial, or COMPLETE without the `wanted` metrics."""
    try:
        facts = message["outcome"]
        if not isinstance(facts, dict):
            raise TypeError("no mapping")
        outcome = checked(outcome_from(facts), wanted)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadFrame(f"no outcome: {failure_line(error)}") from error
    if (outcome.number, outcome.attempt) != (trial.number, trial.attempt):
        raise BadFrame("the outcome of another trial")
    return outcome


def number_in(message: Message, name: str) -> int:
    """A whole number of a message; BadFrame where there is none."""
    value = message.get(name)
    if type(value) is not int:
        raise BadFrame(f"no {name}")
    return value


def _report(metric: str, given: Sequence[object]) -> Report:
    try:
        step, value, timestamp = given
        if type(step) is int and type(value) in (int, float) and type(timestamp) is int and abs(step) <= STEP_LIMIT:
            return Report(metric, float(value), step, timestamp)  # type: ignore[arg-type]  # a number, as just seen
    except (TypeError, ValueError, OverflowError) as error:
        raise BadFrame("no report") from error
    raise BadFrame("no report")
