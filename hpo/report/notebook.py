"""A sweep in a notebook's cell: one line on where it stands, and its history as a picture."""

from hpo.constraints import INFEASIBLE_TAG
from hpo.report.answers import page_of
from hpo.report.history_svg import history_svg
from hpo.report.texts import duration, escaped, number
from hpo.trial import State
from hpo.views.numbers import seconds_between
from hpo.views.sweep_fields import status_of
from hpo.views.sweep_page import SweepPage
from trackers.opening import Store
from trackers.records import Run


def notebook_html(store: Store, run: Run) -> str:
    """HTML without scripts and without anything from outside."""
    page = page_of(store, run)
    goals = ", ".join(f"{name} ({goal})" for name, goal in page.table.goals.items()) or str(page.metric or "")
    counts = ", ".join(f"{count} {state}" for state, count in page.table.counts().items()) or "no trials yet"
    best = page.best()
    told = [
        status_of(run),
        counts,
        f"best {number(best['value'])} by trial {best['number']}" if best and len(page.table.goals) < 2 else "",
        duration(seconds_between(run.started, run.ended)) if run.ended else "",
    ]
    head = f"<p><b>sweep {escaped(run.name)}</b>: {escaped(goals)}<br>{escaped('; '.join(filter(None, told)))}</p>"
    return head + history_svg(history_points(page), page.metric or "value", page.table.goal)


def history_points(page: SweepPage) -> list[tuple[int, float, bool]]:
    """Number and value of each complete trial, by number, and whether it may be the best."""
    return sorted(
        (row.head.number or 0, value, INFEASIBLE_TAG not in row.body.tags)
        for row in page.table.rows()
        if row.head.state == State.COMPLETE and (value := page.table.value(row)) is not None
    )
