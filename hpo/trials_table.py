"""The trials of a sweep as a pandas table."""

from collections.abc import Sequence

import pandas

from trackers.records import Run


def table(runs: Sequence[Run], *, has_value: bool = True) -> pandas.DataFrame:
    """One row a trial: number, state, value, seconds, then a column for each param and metric (NaN where absent).

    Trials by several metrics have no single value.
    """
    rows = [{name: cell for name, cell in _row(run).items() if has_value or name != "value"} for run in runs]
    return pandas.DataFrame(rows, columns=list(dict.fromkeys(name for row in rows for name in row)))


def _row(run: Run) -> dict[str, object]:
    trial = run.trial
    return {
        "number": trial.number if trial else None,
        "state": trial.state if trial else run.status.value,
        "value": trial.value if trial else None,
        "seconds": trial.seconds if trial else None,
        **{f"params.{name}": value for name, value in run.params.items()},
        **{f"metrics.{name}": value for name, value in run.metrics.items()},
        "run_id": run.id,
    }
