"""Reads sweep files: all mistakes at once, each with its place; nothing that a file names is imported."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from hpo.config.encoding import MAX_BYTES, decoded
from hpo.config.fields import Section
from hpo.config.messages import Explainer, find
from hpo.config.metrics_fields import MetricOfSeveral
from hpo.config.nearest import nearest
from hpo.config.objective_fields import Objective
from hpo.config.overrides import override
from hpo.config.parameters import ParameterSpec
from hpo.config.problems import Place, Problem, Unreadable
from hpo.config.rules import Facts, Finding, findings
from hpo.config.schema import (
    Engine,
    Metric,
    Parallel,
    Registration,
    SweepConfig,
    TrackerSettings,
    from_name,
    metrics_given,
)
from hpo.config.several_rules import UNSERVED, SeveralFacts
from hpo.config.source import MappingNode, Node, ScalarNode, parse, plain
from hpo.errors import ConfigError

_S = TypeVar("_S", bound=Section)
Check = Callable[[SweepConfig], Iterable[Finding]]
"""A rule about a whole sweep file that is not for this package to know."""


class SweepFileError(ConfigError):
    """A sweep file is wrong; its text lists every problem in the order they stand in the file."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        last = f"{count} error{'s' if count > 1 else ''} in {name}; nothing was run"
        super().__init__("\n".join([*map(str, self.problems), last]))


def read_sweep(path: str | Path, overrides: Sequence[str] = (), checks: Sequence[Check] = ()) -> SweepConfig:
    """The sweep a file describes, `-` being standard input; SweepFileError with all that is wrong.

    Overrides are texts such as `budget.n_trials=20`, their values read as YAML, applied before the file is judged.
    `checks` are more rules, asked where all else is right.
    """
    name = "<stdin>" if str(path) == "-" else str(path)
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1) if str(path) == "-" else _content(Path(path))
        return _read(decoded(content, name), name, overrides, checks)
    except Unreadable as error:
        raise SweepFileError(name, [error.problem]) from error


def read_sweep_text(
    text: str, name: str = "<text>", overrides: Sequence[str] = (), checks: Sequence[Check] = ()
) -> SweepConfig:
    """The sweep a text describes; `name` is what messages call it. SweepFileError as for a file."""
    try:
        return _read(text, name, overrides, checks)
    except Unreadable as error:
        raise SweepFileError(name, [error.problem]) from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable(_whole(str(path)), f"no such file{_similar_files(path)}") from None
    except IsADirectoryError:
        raise Unreadable(_whole(str(path)), "is a folder; name a sweep file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(_whole(str(path)), f"cannot be read: {reason}") from error


def _similar_files(path: Path) -> str:
    try:
        names = {found.stem: found.name for found in path.parent.iterdir() if found.suffix in (".yaml", ".yml")}
    except OSError:
        return ""
    similar = nearest(path.stem, names)
    return f" - did you mean '{names[similar]}'?" if similar else ""


def _whole(name: str) -> Place:
    return Place(0, 0, 0, name)


def _read(text: str, name: str, overrides: Sequence[str], checks: Sequence[Check]) -> SweepConfig:
    root, problems = _tree(text, name)
    for rank, change in enumerate(overrides, start=1):
        problems += override(root, change, rank)
    problems += _empty_parameters(root)
    data = plain(root)
    try:
        config = SweepConfig.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        explainer = Explainer(root)
        problems += explainer.explain(errors)
        problems += _broken_rules(data, errors, root, is_replaced=explainer.is_replaced("metric", "metrics"))
        raise SweepFileError(name, set(problems)) from error
    problems += [_placed(finding, root) for check in checks for finding in check(config)]
    if problems:
        raise SweepFileError(name, problems)
    return config


def _empty_parameters(root: MappingNode) -> Iterable[Problem]:
    """Parameters without a value: YAML reads null, a constant that is rarely meant."""
    section = root.entries.get("parameters")
    if section is not None and isinstance(section.node, MappingNode):
        for name, entry in section.node.entries.items():
            if isinstance(entry.node, ScalarNode) and not entry.node.text and not entry.node.quoted:
                message = "has no value: write null if that is the constant meant"
                yield Problem(entry.place, f"parameters.{name}", message)


def _tree(text: str, name: str) -> tuple[MappingNode, list[Problem]]:
    def placing(line: int, column: int) -> Place:
        return Place(0, line + 1, column + 1, f"{name}:{line + 1}:{column + 1}")

    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Unreadable(_whole(name), f"is larger than {MAX_BYTES:,} bytes: that is no sweep file")
    root, problems = parse(text, placing)
    if root is None or plain(root) is None:
        raise Unreadable(_whole(name), "is empty; `hpo init` writes a sweep file to begin with")
    if not isinstance(root, MappingNode):
        raise Unreadable(root.place, "must be a mapping of keys such as name, metric, objective and parameters")
    return root, problems


def _broken_rules(data: object, errors: Iterable[ErrorDetails], root: Node, *, is_replaced: bool) -> Iterable[Problem]:
    """The rules between sections, judged on what is right by itself: the schema looks at them only if all is."""
    if not isinstance(data, dict):
        return
    wrong = {error["loc"][: 2 if error["loc"][:1] == ("parameters",) else 1] for error in errors}
    for finding in findings(_facts(data, wrong, is_replaced=is_replaced)):
        yield _placed(finding, root)


def _placed(finding: Finding, root: Node) -> Problem:
    spot = find(root, finding.at)
    return Problem(spot.place(on_key=finding.on_key), spot.name, finding.message)


def _facts(data: dict[str, object], wrong: set[tuple[int | str, ...]], *, is_replaced: bool) -> Facts:
    """What is known; `is_replaced` says that a wrong key stands for `metric`, which is not called missing then."""

    def section(name: str, model: type[_S]) -> _S | None:
        is_right = (name,) not in wrong and data.get(name) is not None
        return model.model_validate(data[name]) if is_right else None

    def items(name: str) -> list[Any]:
        value = data.get(name)
        return value if isinstance(value, list) and (name,) not in wrong else []

    metric = section("metric", Metric)
    several = data.get("metrics") if ("metrics",) not in wrong else None
    metrics = [MetricOfSeveral.model_validate(each) for each in several] if isinstance(several, list) else None
    engine = None if ("engine",) in wrong else Engine.model_validate(from_name(data.get("engine") or {}))
    objective = section("objective", Objective)
    tracker, registration = section("tracker", TrackerSettings), section("register", Registration)
    parameters = data.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    right = {name: spec for name, spec in parameters.items() if ("parameters", name) not in wrong}
    sklearn = objective.sklearn if objective else None
    return Facts(
        metrics=metrics_given(metric, metrics),
        several=SeveralFacts(
            has_metric=is_replaced or data.get("metric") is not None or data.get("metrics") is not None,
            has_both=data.get("metric") is not None and data.get("metrics") is not None,
            is_several=data.get("metrics") is not None,
            engine=engine.name if engine else None,
            sampler=engine.sampler if engine else None,
            pick=registration.pick if registration else None,
            given=[key for key in UNSERVED if data.get(key) is not None],
        ),
        is_sklearn=sklearn is not None if objective else None,
        scoring=sklearn.scoring if sklearn else None,
        steps=sklearn.steps if sklearn else (),
        parameters=TypeAdapter(dict[str, ParameterSpec]).validate_python(right),
        names=list(parameters),
        keeps_models=tracker is None or tracker.log_models != "none",
        registers=registration is not None,
        gates=registration.gates if registration else None,
        has_test=sklearn is not None and sklearn.data.test is not None,
        estimator=sklearn.estimator if sklearn else None,
        limits=objective.limits if objective else (),
        backend=parallel.backend if (parallel := section("parallel", Parallel)) else None,
        prunes=data.get("pruner") is not None if ("pruner",) not in wrong else None,
        reports=objective is None or objective.reports or data.get("replicates") is not None,
        command=tuple(objective.command_texts) if objective else (),
        keeps_folder=objective is not None and objective.model is not None,
        grows=(sklearn.resource.param or "") if sklearn and sklearn.resource else None,
        constraints=items("constraints"),
        start=items("start"),
        replicates=data.get("replicates") is not None,
    )
