"""What `--sort KEY` means."""

import re

from hpo.config.nearest import did_you_mean
from hpo.errors import NothingFound
from hpo.front_on_record import several_of
from trackers.conditions import ATTRIBUTES
from trackers.records import Order, Query, Run
from trackers.tracker import Tracker

_SEARCHED = 1000
_SORT = re.compile(r"(-?)(.+?)(?:\s+(asc|desc))?", re.IGNORECASE)


def order_of(tracker: Tracker, parent: Run, text: str) -> list[Order]:
    """The order of `value`, `-metrics.rmse`, `lr desc`; a plain name is an attribute, else a metric, else a param.

    NothingFound for a plain name that no trial of the sweep has, and for the value of one that has several.
    """
    match = _SORT.fullmatch(text.strip())
    minus, key, direction = match.groups("") if match else ("", text, "")
    if key == "value" and (several := several_of(parent)):
        raise NothingFound(f"trials of {parent.name!r} have several values; sort by one of: {', '.join(several)}")
    descending = bool(minus) or direction.lower() == "desc"
    if key not in ATTRIBUTES and not key.startswith(("metrics.", "params.", "tags.")):
        key = _found(tracker, parent, key)
    return [Order(key, descending)]


def metric_names(tracker: Tracker, parent: Run) -> list[str]:
    """The metrics that trials of a sweep reported (of the first thousand), as first seen."""
    return list(dict.fromkeys(name for run in _some(tracker, parent) for name in run.metrics))


def _found(tracker: Tracker, parent: Run, name: str) -> str:
    runs = _some(tracker, parent)
    metrics = {key for run in runs for key in run.metrics}
    params = {key for run in runs for key in run.params}
    if name in metrics or name in params:
        return f"{'metrics' if name in metrics else 'params'}.`{name.replace('`', '``')}`"
    known = sorted(metrics | params | ATTRIBUTES)
    raise NothingFound(
        f"no trial of {parent.name!r} has a {name!r} (there are: {', '.join(known)}){did_you_mean(name, known)}"
    )


def _some(tracker: Tracker, parent: Run) -> list[Run]:
    return list(tracker.find(Query(parent=parent.id, limit=_SEARCHED)))
