"""A W&B sweep file as one of ours; what has no equal is named with its place."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.config.encoding import MAX_BYTES, decoded
from hpo.config.expanded import flow
from hpo.config.fields import NAME
from hpo.config.problems import Place, Unreadable
from hpo.config.source import ListNode, MappingNode, Node, Placing, parse, plain
from hpo.config.wandb_parameters import Spec, parameters_of, text_of
from hpo.errors import ConfigError

_READ = frozenset(
    """
    program command method metric parameters early_terminate run_cap name description project
    """.split()  # noqa: SIM905  # ten quoted words read worse
)
_USUAL_COMMAND = ["${env}", "${interpreter}", "${program}", "${args}"]
_MACRO = re.compile(r"\$\{([^}]*)\}")
_MACROS = {name: f"{{{name}}}" for name in ("args", "args_no_hyphens", "args_json", "args_json_file")}
_SAMPLERS = {"grid": "grid", "random": "random", "bayes": "tpe"}


@dataclass
class Converted:
    """Our sweep file, and lines about what has no equal here."""

    text: str = ""
    notes: list[str] = field(default_factory=list)


def convert_wandb(path: Path, name: str) -> Converted:
    """The W&B sweep file at a path as one of ours, called `name` where it has no name; ConfigError if it is none."""
    try:
        with path.open("rb") as file:
            root, problems = parse(decoded(file.read(MAX_BYTES + 1), str(path)), _placing(str(path)))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except Unreadable as error:
        raise ConfigError(str(error.problem)) from error
    if problems:
        raise ConfigError("\n".join(map(str, sorted(problems))))
    if not isinstance(root, MappingNode) or not isinstance(_node(root, "parameters"), MappingNode):
        raise ConfigError(f"{path} has no mapping of parameters: is it a W&B sweep file?")
    sweep = _Sweep(root, name)
    text = "\n".join(sweep.lines())
    return Converted(f"{_header(path, sweep.notes)}{text}\n", sweep.notes)


def _placing(name: str) -> Placing:
    return lambda line, column: Place(0, line + 1, column + 1, f"{name}:{line + 1}:{column + 1}")


def _header(path: Path, notes: Sequence[str]) -> str:
    lines = [f"From the W&B sweep file {path.name}."]
    if notes:
        lines += ["What has no equal here:", *(f"  {note}" for note in notes)]
    return "".join(f"# {line}\n" for line in lines)


def _node(mapping: Node | None, key: str) -> Node | None:
    entry = mapping.entries.get(key) if isinstance(mapping, MappingNode) else None
    return entry.node if entry else None


@dataclass
class _Sweep:
    root: MappingNode
    name: str
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        parameters = dict(parameters_of(self._parameters, self._note))
        command = self._command()
        for key, entry in self.root.entries.items():
            if key not in _READ:
                self._note(entry.node, key, "has no equal: left out")
        yield "version: 1"
        yield f"name: {flow(self._text('name') or self.name)}"
        if project := self._text("project"):
            yield f"experiment: {flow(project)}"
        if description := self._text("description"):
            yield f"description: {flow(description)}"
        yield f"metric: {flow(self._metric())}"
        yield "objective:"
        yield f"  command: {flow(command)}"
        yield '  # instead of wandb.log({..}, step=i): print(json.dumps({"step": i, ..}), flush=True)'
        yield "  metrics: {stdout: json}"
        yield "parameters:"
        for name, spec in parameters.items():
            yield f"  {flow(name)}: {flow(spec)}"
        yield f"engine: {flow(self._engine())}"
        if pruner := self._pruner():
            yield f"pruner: {flow(pruner)}"
        yield f"budget: {flow({'n_trials': self._trials(parameters)})}"

    @property
    def _parameters(self) -> MappingNode:
        node = _node(self.root, "parameters")
        return node if isinstance(node, MappingNode) else MappingNode(self.root.place)

    def _note(self, node: Node, name: str, text: str) -> None:
        note = f"{node.place}: {name}: {text}"
        self.notes.append("".join(char if char.isprintable() else ascii(char)[1:-1] for char in note[:500]))

    def _text(self, key: str) -> str:
        text = text_of(_node(self.root, key)).strip()
        if key != "description" and text and not re.fullmatch(NAME, text):
            text = re.sub(r"[^\w.:-]+", "-", text).strip("-.:")
        return text[:200]

    def _metric(self) -> Mapping[str, object]:
        metric = _node(self.root, "metric")
        name = text_of(_node(metric, "name"))
        if not re.fullmatch(NAME, name):
            ours = re.sub(r"[^\w.:-]+", "_", name).strip("_.:-") or "loss"
            self._note(metric or self.root, "metric.name", f"is missing or no name here: {ours}")
            name = ours
        target = plain(found) if (found := _node(metric, "target")) else None
        goal = text_of(_node(metric, "goal")) or "minimize"
        if goal not in ("minimize", "maximize"):
            self._note(metric or self.root, "metric.goal", f"'{goal}' is neither minimize nor maximize: minimize")
            goal = "minimize"
        is_number = isinstance(target, int | float) and not isinstance(target, bool) and math.isfinite(target)
        return {"name": name, "goal": goal, **({"target": target} if is_number else {})}

    def _command(self) -> list[str]:
        node = _node(self.root, "command")
        given = [text_of(item) for item in node.items] if isinstance(node, ListNode) else _USUAL_COMMAND
        command = [made for element in given if (made := self._argument(element, node or self.root))]
        return command or ["python", self._program]

    @property
    def _program(self) -> str:
        return text_of(_node(self.root, "program")) or "train.py"

    def _argument(self, element: str, node: Node) -> str | None:
        if element == "${env}":  # /usr/bin/env: programs are found on PATH as it is
            return None
        if element == "${program}" and _node(self.root, "program") is None:
            self._note(self.root, "program", "is missing: train.py")
        pieces, end = "", 0
        for macro in _MACRO.finditer(element):
            made = self._macro(macro[1], node)
            if made is None:
                return None
            pieces += _escaped(element[end : macro.start()]) + made
            end = macro.end()
        made_of_several = "{args}" in pieces or "{args_no_hyphens}" in pieces
        whole = pieces + _escaped(element[end:])
        if made_of_several and whole not in ("{args}", "{args_no_hyphens}"):
            self._note(node, "command", f"'{element}' mixes text with several arguments: {{args}} alone")
            return "{args}"
        return whole

    def _macro(self, name: str, node: Node) -> str | None:
        if name in _MACROS:
            return _MACROS[name]
        if name == "interpreter":
            return "python"
        if name == "program":
            return _escaped(self._program)
        if name == "args_no_boolean_flags":
            self._note(node, "command", "${args_no_boolean_flags}: booleans are given as --name=true and --name=false")
            return "{args}"
        if name.startswith("envvar:"):
            variable = name.removeprefix("envvar:")
            self._note(node, "command", f"${{{name}}}: the argument is left out; the program finds ${variable} itself")
            return None
        self._note(node, "command", f"${{{name}}} is not known: the argument is left out")
        return None

    def _engine(self) -> Mapping[str, object]:
        method = text_of(_node(self.root, "method")) or "bayes"
        if method not in _SAMPLERS:
            self._note(_node(self.root, "method") or self.root, "method", f"'{method}' has no equal: tpe")
        return {"name": "optuna", "sampler": _SAMPLERS.get(method, "tpe"), "seed": 0}

    def _pruner(self) -> Mapping[str, object] | None:
        node = _node(self.root, "early_terminate")
        if node is None:
            return None
        settings = plain(node)
        if not isinstance(settings, dict) or settings.get("type") != "hyperband":
            self._note(node, "early_terminate", "only type hyperband has an equal: left out")
            return None
        for key in settings.keys() - {"type", "min_iter", "max_iter", "s", "eta"}:
            self._note(node, f"early_terminate.{key}", "has no equal: left out")
        # what W&B calls hyperband is one bracket of it: successive halving at min_iter, min_iter * eta, ..
        eta = max(2, _whole(settings.get("eta"), 3))
        most, brackets = _whole(settings.get("max_iter"), 0), _whole(settings.get("s"), 1)
        least = _whole(settings.get("min_iter"), max(1, round(most / eta**brackets)) if most else 1)
        return {"name": "asha", "options": {"min_resource": max(1, least), "reduction_factor": eta}}

    def _trials(self, parameters: Mapping[str, Spec]) -> int:
        cap = _node(self.root, "run_cap")
        if cap is not None:
            return min(10_000_000, max(1, _whole(plain(cap), 50)))
        if text_of(_node(self.root, "method")) == "grid":
            sizes = [len(spec) for spec in parameters.values() if isinstance(spec, list)]
            return min(10_000_000, math.prod(sizes)) or 1
        return 50


def _whole(value: object, usual: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return usual
    return round(value)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
