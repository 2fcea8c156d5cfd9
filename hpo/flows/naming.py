"""How the sweep of one scheduled run is called: the same in every retry of that run, another one the next time."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from string import Formatter

from hpo.config.nearest import did_you_mean
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError

FIELDS = {"name": "", "date": "%Y-%m-%d", "time": "%H%M"}
"""What a template may hold: the file's name for the sweep, and when the run was scheduled, in UTC."""


def name_from(template: str, name: str, scheduled: datetime) -> str:
    """The name: `{name}-{date}` gives `taxi-2026-05-01`. ConfigError for a field that there is not."""
    try:
        fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise ConfigError(f"name: {template!r} is no template: {error}") from error
    for field in fields:
        if field not in FIELDS:
            raise ConfigError(f"name: no field {{{field}}}{did_you_mean(field, FIELDS)}; there are {_known()}")
    moment = scheduled.astimezone(UTC)
    times = {field: moment.strftime(form) for field, form in FIELDS.items() if form}
    return Formatter().vformat(template, (), {**times, "name": name})


def literally(name: str) -> str:
    """The template that gives this name."""
    return name.replace("{", "{{").replace("}", "}}")


def named_overrides(config: SweepConfig, name: str) -> Sequence[str]:
    """What makes a file's sweep one of that name, in the same experiment as those of other names."""
    return [f"name={json.dumps(name)}", f"experiment={json.dumps(config.experiment_name)}"]


def artifact_key(name: str) -> str:
    """The name as Prefect allows it for artifacts: small letters, digits and dashes."""
    return "hpo-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "sweep")


def _known() -> str:
    return ", ".join(f"{{{field}}}" for field in FIELDS)
