"""A sweep as the object that `-f json` prints, and sweeps as a table."""

import contextlib
from collections.abc import Mapping, Sequence

from hpo.cli.formats import Table, finite
from hpo.cli.text import duration, iso_time
from hpo.errors import HpoError
from hpo.front import Goals
from hpo.front_on_record import several_of
from hpo.progress import front_size
from hpo.trial import State
from trackers.records import Run, Status

COLUMNS = ("name", "state", "trials", "best", "trial", "metric", "started", "took", "run_id")


def sweep_object(run: Run, counts: Mapping[str, int], now: float) -> dict[str, object]:
    """The fields of a sweep; `best_value` is what the parent run says, `now` in milliseconds since 1970.

    A sweep by several metrics has `metrics` and the size of its front, and no best value.
    """
    facts, several = run.sweep, _several(run)
    more = {"metrics": {name: goal.value for name, goal in several.items()}, "front": front_size(run.tags)}
    ended = run.ended if run.ended is not None else now
    return {
        "name": run.name,
        "state": sweep_state(run),
        "trials": dict(counts),
        "n_trials": facts.n_trials if facts else None,
        "metric": facts.metric if facts else None,
        "goal": facts.goal if facts else None,
        **(more if several else {}),
        "best_value": finite(_number(run.tags.get("hpo.best_value"))),
        "best_trial": _whole(run.tags.get("hpo.best_trial")),
        "started": iso_time(run.started),
        "ended": iso_time(run.ended),
        "seconds": None if run.started is None else max(0.0, round((ended - run.started) / 1000, 3)),
        "experiment": run.experiment,
        "run_id": run.id,
    }


def _several(run: Run) -> Goals:
    """The metrics of a sweep by several; of one with a goal that is none nothing, so that the others are listed."""
    try:
        return several_of(run)
    except HpoError:
        return {}


def sweeps_table(objects: Sequence[Mapping[str, object]], *, short: bool = False) -> Table:
    """One row a sweep."""
    rows = [_row(sweep, short=short) for sweep in objects]
    columns = [*COLUMNS[:-1], "deleted", COLUMNS[-1]] if any("deleted" in sweep for sweep in objects) else COLUMNS
    return Table(columns, rows)


def sweep_state(run: Run) -> str:
    """The run's status; KILLED by an interruption reads INTERRUPTED, because it can go on."""
    return "INTERRUPTED" if run.status is Status.KILLED and run.sweep else run.status.value


def counts_text(counts: object, n_trials: object = None) -> str:
    """Trials by state: `48 COMPLETE, 2 FAILED of 60`."""
    known = counts if isinstance(counts, Mapping) else {}
    text = ", ".join(f"{known[state]} {state}" for state in State if known.get(state)) or "0"
    return text if n_trials is None or n_trials == sum(known.values()) else f"{text} of {n_trials}"


def _row(sweep: Mapping[str, object], *, short: bool) -> dict[str, object]:
    started, seconds, run_id = sweep["started"], sweep["seconds"], str(sweep["run_id"])
    front, metrics = sweep.get("front"), sweep.get("metrics")
    return {
        **sweep,
        "trials": counts_text(sweep["trials"], sweep["n_trials"]),
        "best": f"front of {front}" if front else sweep["best_value"],
        "metric": ", ".join(metrics) if isinstance(metrics, Mapping) else sweep["metric"],
        "trial": sweep["best_trial"],
        "started": _minute(started),
        "deleted": _minute(sweep.get("deleted")),
        "took": duration(seconds if isinstance(seconds, float) else None),
        "run_id": run_id[:8] if short else run_id,
    }


def _minute(iso: object) -> str | None:
    return f"{iso[:10]} {iso[11:16]}Z" if isinstance(iso, str) else None


def _number(text: str | None) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return float(text or "")
    return None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
