"""What a replay found, for people and for programs."""

import logging
from collections.abc import Iterator, Sequence

from hpo.cli import output
from hpo.cli.formats import Table
from hpo.cli.options import Shared
from hpo.cli.text import lines, one_line
from hpo.provenance.changed import Changed
from hpo.replaying.comparison import MetricVerdict, Verdict
from hpo.replaying.recorded_replay import as_object

log = logging.getLogger(__name__)
_MOST_CHANGES = 8
_MOST_LINES = 12
"""Lines of a difference that are shown, as of an edited file; `hpo diff` and JSON have all."""


def show(verdicts: Sequence[Verdict], shared: Shared) -> None:
    """One trial with all its metrics, several with a line each; then for people what differs."""
    if shared.format == "table":
        text = _one(verdicts[0]) if len(verdicts) == 1 else _several(verdicts)
        output.write(lines(text), shared)
        return
    objects = [as_object(verdict) for verdict in verdicts]
    rows = [_row(verdict) for verdict in verdicts]
    output.show(objects[0] if len(objects) == 1 else objects, Table(list(rows[0]), rows), shared)


def _one(verdict: Verdict) -> str:
    from hpo.cli.formats import as_table

    rows = [_metric_row(metric) for metric in verdict.metrics]
    parts = [as_table(Table(["metric", "recorded", "replayed", "points", "verdict"], rows))] if rows else []
    if verdict.not_compared:
        parts.append(f"not compared: {_grouped(verdict)}")
    parts += [line for metric in verdict.metrics for line in _values(metric)]
    return "\n".join([*parts, *_conclusion(verdict)])


def _several(verdicts: Sequence[Verdict]) -> str:
    from hpo.cli.formats import as_table

    rows = [_row(verdict) for verdict in verdicts]
    parts = [as_table(Table(["trial", "verdict", "metrics", "points", "differs"], rows))]
    wrong = [verdict for verdict in verdicts if not verdict.is_same]
    if wrong:
        parts += _conclusion(wrong[0])
    parts.append(f"{len(verdicts) - len(wrong)} of {len(verdicts)} trials are identical")
    return "\n".join(parts)


def _row(verdict: Verdict) -> dict[str, object]:
    wrong = [metric.name for metric in verdict.metrics if not metric.is_same]
    ended = [] if verdict.ends_the_same else [f"{verdict.state} -> {verdict.replayed_state}"]
    return {
        "trial": verdict.name,
        "verdict": "identical" if verdict.is_same else "differs",
        "metrics": len(verdict.metrics),
        "points": verdict.points,
        "differs": ", ".join([*ended, *wrong]) or None,
    }


def _metric_row(metric: MetricVerdict) -> dict[str, object]:
    return {
        "metric": metric.name,
        "recorded": _value(metric.recorded),
        "replayed": _value(metric.replayed),
        "points": metric.points,
        "verdict": "identical" if metric.is_same else _where(metric),
    }


def _where(metric: MetricVerdict) -> str:
    """At which step it differs first; the values there are said below where they are not those of the columns."""
    step, colon, _ = metric.difference.partition(":")
    return f"differs at {step}" if colon else step


def _values(metric: MetricVerdict) -> Sequence[str]:
    return [f"{metric.name} at {metric.difference}"] if metric.points > 1 and ":" in metric.difference else []


def _value(value: float | None) -> str | None:
    return None if value is None else repr(value)  # all digits: two values that differ must not look the same


def _grouped(verdict: Verdict) -> str:
    found: dict[str, list[str]] = {}
    for name, why in verdict.not_compared.items():
        found.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in found.items())


def _conclusion(verdict: Verdict) -> Sequence[str]:
    if verdict.is_same:
        count = len(verdict.metrics)
        how = f"{_counted(count, 'metric')}, {_counted(verdict.points, 'point')}, to the last bit"
        said = [f"{verdict.name}: identical: {verdict.state}, {how}"]
    else:
        said = [_difference(verdict)]
    if verdict.changes:
        head = "differs from then" if verdict.is_same else "what differs from then"
        shown = [line for change in verdict.changes[:_MOST_CHANGES] for line in _change(change, verdict.first_change)]
        more = len(verdict.changes) - _MOST_CHANGES
        said += [f"{head}:", *shown, *([f"  and {more} more; -f json has all"] if more > 0 else [])]
    return said


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _change(change: Changed, first: Changed | None) -> Iterator[str]:
    """A thing that differs, with what is known of it closer: of code only for the first file, as that may be long."""
    yield f"  {one_line(str(change))}"
    if change.what == "code" and change is not first:
        return
    text = change.detail.partition("\n@@ ")[2].partition("\n")[2] if change.what == "code" else change.detail
    known = text.splitlines()
    yield from (f"    {one_line(line)}" for line in known[:_MOST_LINES])
    if len(known) > _MOST_LINES:
        yield f"    and {len(known) - _MOST_LINES} more lines; -f json has all"


def _difference(verdict: Verdict) -> str:
    wrong = [metric for metric in verdict.metrics if not metric.is_same]
    what = f"{len(wrong)} of {len(verdict.metrics)} metrics"
    if not verdict.ends_the_same:
        what = f"it ended {verdict.replayed_state}, on record is {verdict.state}"
    first = verdict.first_change
    if first is not None:
        return f"{verdict.name}: differs: {what}; the first thing that is not as it was: {one_line(str(first))}"
    return (
        f"{verdict.name}: differs: {what}, and all that is on record is as it was: the objective does not "
        "repeat itself (a generator without the trial's seed, the clock, threads, files of its own?)"
    )
