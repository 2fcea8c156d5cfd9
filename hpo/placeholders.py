"""Texts with placeholders, such as `--eta={eta}`: read once, filled in for each trial."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hpo.errors import ConfigError
from hpo.space import Params, Value

FIXED = ("trial_dir", "sweep_dir", "number", "seed", "python")
"""What every trial has: its empty folder, the sweep file's folder, its number and seed, and this Python."""

SEVERAL: Mapping[str, str] = {"args": "--", "args_no_hyphens": ""}
"""What stands for one argument a parameter, and what each of them begins with."""

WHOLE = ("args_json", "args_json_file")
"""All parameters as one JSON object: the text, or the path of a file that holds it."""

_TOKEN = re.compile(r"(\{\{)|(\}\})|\{([^{}]*)\}|([{}])|([^{}]+)")


@dataclass(frozen=True)
class Template:
    """A text in which `{name}` stands for something a trial has; `{{` and `}}` are the braces themselves."""

    text: str

    @cached_property
    def _parts(self) -> tuple[tuple[str, str], ...]:
        """Pairs of plain text and the name that follows it, if any."""
        parts, plain = [], ""
        for opened, closed, name, lost, text in _TOKEN.findall(self.text):
            if lost:
                raise ConfigError(
                    f"'{lost}' belongs to no placeholder in '{self.text:.60}': write {lost * 2} for a brace"
                )
            if opened or closed or text:
                plain += "{" if opened else "}" if closed else text
            else:
                if not name:
                    raise ConfigError("{} names nothing: write {{}} for two braces")
                parts.append((plain, name))
                plain = ""
        return (*parts, (plain, ""))

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders in their order; ConfigError for braces that are none."""
        return tuple(name for _, name in self._parts if name)

    @property
    def several(self) -> str | None:
        """The placeholder that stands for several arguments, where the text is nothing else."""
        return self.names[0] if self.text[1:-1] in SEVERAL and self.names == (self.text[1:-1],) else None

    def fill(self, values: Mapping[str, str]) -> str | None:
        """The text with values in place; None where one of them is not there, such as an inactive parameter."""
        if not all(name in values for name in self.names):
            return None
        return "".join(plain + (values[name] if name else "") for plain, name in self._parts)


def as_text(value: Value) -> str:
    """A value as programs are given it, so that they read back the same: numbers in full, true, false, null."""
    return value if isinstance(value, str) else json.dumps(value)


def as_arguments(params: Params, prefix: str) -> list[str]:
    """`--name=value` for each parameter, in the order of the space."""
    return [f"{prefix}{name}={as_text(value)}" for name, value in params.items()]
