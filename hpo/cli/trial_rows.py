"""A trial as the object that `-f json` prints, and trials as a table."""

from collections.abc import Collection, Mapping, Sequence

from hpo.cli.formats import Table, finite
from hpo.cli.text import iso_time
from hpo.config.nearest import did_you_mean
from hpo.errors import NothingFound
from hpo.trial import SYSTEM_METRICS
from trackers.records import STATUS_OF_STATE, Run

STATE_OF_STATUS = {status: state for state, status in STATUS_OF_STATE.items()}


def trial_object(run: Run, metric: str | None, several: Collection[str] = ()) -> dict[str, object]:
    """The documented fields of a trial; `metric` is the sweep's, whose finite value is the trial's value.

    Where a sweep has `several`, there is none, and `values` has the finite ones by name.
    """
    facts = run.trial
    value = facts.value if facts else run.metrics.get(metric or "")
    values = {"values": {name: finite(run.metrics.get(name)) for name in several}} if several else {}
    return {
        "number": facts.number if facts else None,
        "state": state_of(run),
        "reason": (facts.reason or None) if facts else None,
        "attempt": facts.attempt if facts else None,
        "params": dict(run.params),
        "metrics": finite(run.metrics),
        "value": None if several else finite(value),
        **values,
        "seconds": seconds_of(run),
        "run_id": run.id,
        "started": iso_time(run.started),
        "ended": iso_time(run.ended),
    }


def state_of(run: Run) -> str:
    """A trial's state; of a run that MLflow wrote, what its status means."""
    return run.trial.state if run.trial else STATE_OF_STATUS[run.status]


def seconds_of(run: Run) -> float | None:
    """How long a trial ran, None while it has not ended."""
    if run.trial and run.trial.seconds is not None:
        return run.trial.seconds
    if run.started is None or run.ended is None:
        return None
    return (run.ended - run.started) / 1000


def trials_table(
    runs: Sequence[Run],
    metric: str | None,
    *,
    first: str | None = None,
    short: bool = False,
    several: Collection[str] = (),
) -> Table:
    """One row a trial; `first` is a metric to show right after the value, `short` cuts run ids to 8 digits.

    The metrics of a sweep by `several` stand in the place of the value.

    Columns: number (and the name of runs that MLflow wrote), state, value, then `params.x`, `metrics.x`, seconds,
    reason, run_id. What the machine was used for is shown where it is chosen.
    """
    rows = [_row(run, trial_object(run, metric), short=short) for run in runs]
    params = _named(rows, "params.")
    metrics = [name for name in _named(rows, "metrics.") if not name.startswith(f"metrics.{SYSTEM_METRICS}")]
    leading = [f"metrics.{name}" for name in (first, *several) if f"metrics.{name}" in metrics]
    reason = ["reason"] if any(row["reason"] for row in rows) else []
    names = ["number"] if any(run.trial for run in runs) or not runs else []
    if not all(run.trial for run in runs):
        names.append("name")
    order = [
        *names,
        "state",
        *([] if several else ["value"]),
        *leading,
        *params,
        *metrics,
        "seconds",
        *reason,
        "run_id",
    ]
    return Table(list(dict.fromkeys(order)), rows)


def whole_table(runs: Sequence[Run], metric: str | None, several: Collection[str] = ()) -> Table:
    """All fields of trials, one row each, for files."""
    rows = [_row(run, trial_object(run, metric), short=False) for run in runs]
    names = [
        "number",
        "name",
        "state",
        "reason",
        "attempt",
        *([] if several else ["value"]),
        *_named(rows, "params."),
        *_named(rows, "metrics."),
    ]
    return Table([*names, "seconds", "started", "ended", "run_id"], rows)


def _named(rows: Sequence[Mapping[str, object]], prefix: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith(prefix)))


def _row(run: Run, fields: dict[str, object], *, short: bool) -> dict[str, object]:
    return {
        **fields,
        "name": run.name,
        "run_id": run.id[:8] if short else run.id,
        **{f"params.{name}": value for name, value in run.params.items()},
        **{f"metrics.{name}": value for name, value in run.metrics.items()},
    }


def with_columns(table: Table, chosen: str | None) -> Table:
    """The table with the chosen columns, comma-separated; plain names of params and metrics do."""
    if not chosen:
        return table
    names = [_column(table, name.strip()) for name in chosen.split(",") if name.strip()]
    return Table(list(dict.fromkeys(names)), table.rows)


def _column(table: Table, name: str) -> str:
    known = {*table.columns, *(column for row in table.rows for column in row)}
    for candidate in (name, f"metrics.{name}", f"params.{name}"):
        if candidate in known:
            return candidate
    raise NothingFound(f"no column {name!r} (there are: {', '.join(table.columns)}){did_you_mean(name, known)}")
