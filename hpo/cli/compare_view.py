"""Several sweeps side by side, as an object for programs, one table for files, and several for people."""

from collections.abc import Mapping, Sequence

from hpo.cli.formats import Table, as_table, finite
from hpo.cli.front_view import goals_text
from hpo.cli.sweep_rows import counts_text, sweep_state
from hpo.cli.text import duration
from hpo.settings_on_record import ABSENT
from hpo.sweep_compare import Compared, Comparison

DIGITS = 8
"""Of a digest that is shown; whether digests are the same is decided by all of them."""
_COLUMNS = ("engine.name", "engine.sampler", "engine.seed")
"""Settings that have a column of their own."""


def compare_object(comparison: Comparison) -> dict[str, object]:
    """The sweeps, what they are compared by, and the settings that differ, one value a sweep (null: none)."""
    return {
        "metrics": {name: goal.value for name, goal in comparison.goals.items()} or None,
        "why_not": comparison.why_not or None,
        "reference": dict(comparison.reference) or None,
        "same_data": comparison.same_data,
        "same_code": comparison.same_code,
        "sweeps": [_sweep_object(sweep) for sweep in comparison.sweeps],
        "settings": {key: [_known(value) for value in values] for key, values in comparison.settings.items()},
    }


def compare_table(comparison: Comparison) -> Table:
    """One row a sweep with everything: `best.x` are the best trial's params, `settings.x` the settings that differ."""
    rows = [_row(sweep) for sweep in comparison.sweeps]
    for key, values in comparison.settings.items():
        for row, value in zip(rows, values, strict=True):
            row[f"settings.{key}"] = _known(value)
    return Table(list(dict.fromkeys(name for row in rows for name in row)), rows)


def compare_tables(comparison: Comparison) -> Sequence[Table]:
    """For people: a row a sweep, then a row for each setting that differs, then the params of the best trials."""
    rows = [_short_row(sweep) for sweep in comparison.sweeps]
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if _is_told(name, rows)]
    labels = _labels([sweep.run.name for sweep in comparison.sweeps])
    settings = {key: values for key, values in comparison.settings.items() if key not in _COLUMNS}
    best = [(sweep.best_run.trial or sweep.best_run).params if sweep.best_run else {} for sweep in comparison.sweeps]
    names = list(dict.fromkeys(name for params in best for name in params))
    tables = [
        Table(columns, rows),
        _turned("settings that differ", labels, settings),
        _turned("best params", labels, {name: [params.get(name, ABSENT) for params in best] for name in names}),
    ]
    return [table for table in tables if table.rows]


def compare_text(tables: Sequence[Table]) -> str:
    """The tables one below the other."""
    return "\n\n".join(map(as_table, tables))


def verdict_text(comparison: Comparison) -> str:
    """What they are compared by and what they have in common, in a line."""
    by = goals_text(comparison.goals)
    hypervolume = ", by hypervolume" if len(comparison.goals) > 1 else ""
    said = f"compared by {by}{hypervolume}" if by else f"values are not compared: {comparison.why_not}"
    return f"{said}; {_said('data', comparison.same_data)}, {_said('code', comparison.same_code)}"


def _said(what: str, same: bool | None) -> str:
    return f"{what} not on record" if same is None else f"{'the same' if same else 'different'} {what}"


def _sweep_object(sweep: Compared) -> dict[str, object]:
    course, run = sweep.course, sweep.run
    best = sweep.best_run
    return {
        "name": run.name,
        "state": sweep_state(run),
        "trials": dict(sweep.counts),
        "n_trials": run.sweep.n_trials if run.sweep else None,
        "metrics": {name: goal.value for name, goal in sweep.goals.items()},
        "best_value": finite(course.best) if course and len(sweep.goals) == 1 else None,
        "hypervolume": finite(course.best) if course and len(sweep.goals) > 1 else None,
        "front": sweep.front,
        "best_trial": (best.trial.number if best.trial else best.name) if best else None,
        "best_params": dict((best.trial or best).params) if best else None,
        "seconds": _rounded(sweep.seconds),
        "trials_to_best": course.trials_to(course.best) if course else None,
        "seconds_to_best": _rounded(course.seconds_to(course.best)) if course else None,
        "others_best": finite(sweep.others_best),
        "trials_to_others_best": course.trials_to(sweep.others_best) if course else None,
        "seconds_to_others_best": _rounded(course.seconds_to(sweep.others_best)) if course else None,
        "engine": sweep.settings.get("engine.name", run.params.get("engine")),
        "sampler": sweep.settings.get("engine.sampler", run.params.get("sampler")),
        "seed": run.sweep.seed if run.sweep else None,
        "data": dict(sweep.data),
        "code": sweep.code or None,
        "run_id": run.id,
    }


def _row(sweep: Compared) -> dict[str, object]:
    fields = _sweep_object(sweep)
    params = fields.pop("best_params")
    return {
        **fields,
        "trials": counts_text(fields["trials"]),
        "metrics": goals_text(sweep.goals) or None,
        "data": " ".join(f"{name}:{digest}" for name, digest in sweep.data.items()) or None,
        **({f"best.{name}": value for name, value in params.items()} if isinstance(params, Mapping) else {}),
    }


def _short_row(sweep: Compared) -> dict[str, object]:
    fields, course = _sweep_object(sweep), sweep.course
    best = fields["best_value"] if len(sweep.goals) == 1 else fields["hypervolume"]
    return {
        "sweep": sweep.run.name,
        "state": fields["state"],
        "trials": counts_text(sweep.counts, fields["n_trials"]),
        "best" if len(sweep.goals) < 2 else "hypervolume": best,
        "trial": fields["best_trial"],
        "front": sweep.front,
        "took": duration(sweep.seconds),
        "to its best": _way(course.trials_to(course.best), course.seconds_to(course.best)) if course else None,
        "to the others' best": _way(course.trials_to(sweep.others_best), course.seconds_to(sweep.others_best))
        if course and sweep.others_best is not None
        else None,
        "engine": fields["engine"],
        "sampler": fields["sampler"],
        "seed": fields["seed"],
        "data": " ".join(f"{name} {digest[:DIGITS]}" for name, digest in sweep.data.items()) or None,
        "code": sweep.code or None,
    }


def _is_told(name: str, rows: Sequence[Mapping[str, object]]) -> bool:
    return any(row.get(name) is not None for row in rows)


def _way(trials: int | None, seconds: float | None) -> str:
    if trials is None:
        return "never"
    return f"{trials} trial{'' if trials == 1 else 's'}, {duration(seconds)}"


def _turned(title: str, labels: Sequence[str], values: Mapping[str, Sequence[object]]) -> Table:
    """A row for each key, a column for each sweep."""
    rows = [{title: key, **dict(zip(labels, map(_known, row), strict=True))} for key, row in values.items()]
    return Table([title, *labels], rows)


def _labels(names: Sequence[str]) -> list[str]:
    """The sweeps' names; where two have one, with their places."""
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _known(value: object) -> object:
    return None if value is ABSENT else value


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
