"""What the page of one sweep would ask a server for, answered beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from hpo.trial import State
from hpo.views.commands import Commands
from hpo.views.curves import curves
from hpo.views.front_fields import front_fields
from hpo.views.importance_fields import importance_fields
from hpo.views.live_table import LiveTable
from hpo.views.run_fields import run_fields
from hpo.views.space_fields import recorded_space
from hpo.views.sweep_fields import references_of
from hpo.views.sweep_list import main_metric
from hpo.views.sweep_page import SweepPage
from trackers.opening import Store
from trackers.records import Run

_AS_IN_SCRIPTS = "-_.!~*'()"
"""What `encodeURIComponent` leaves alone, besides letters and digits."""
CURVES = 20
WHOLE = 10
"""Of so many of the best trials, and of so many that failed last, all is in a report; of others what the table has."""


@dataclass(frozen=True)
class Answers:
    """The path of the page, and each answer by the path it is asked for under."""

    page: str
    answers: Mapping[str, object]


def page_of(store: Store, run: Run) -> SweepPage:
    """A sweep with all its trials read."""
    metric = main_metric(store.watching, run)
    table = LiveTable(store.watching, run, metric=metric)
    table.refresh(run)
    return SweepPage(run, table, metric)


def answers_of(store: Store, page: SweepPage, *, now: int, commands: Commands) -> Answers:
    """All that the page of this sweep asks for."""
    run, table = page.run, page.table
    name, below = quote(run.name, safe=_AS_IN_SCRIPTS), f"/api/sweeps/{run.id}"
    sweep = page.whole(store, now=now, commands=commands)
    importance = importance_fields(table.valued(), recorded_space(run), page.metric, table.goal)
    return Answers(
        f"/sweeps/{run.id}",
        {
            f"/api/sweeps/{name}": sweep,
            below: sweep,
            f"{below}/trials": table.whole(),
            f"{below}/importance": importance,
            f"{below}/curves?top={CURVES}": curves(store.tracker, run, table.top(CURVES), metric=page.metric),
            f"{below}/front": front_fields(table.rows(), table.goals, references_of(run)),
            **{f"/api/runs/{run_id}": _whole(store, run_id, commands) for run_id in _shown_whole(page)},
        },
    )


def _shown_whole(page: SweepPage) -> list[str]:
    failed = [row.head for row in page.table.rows() if row.head.state == State.FAILED]
    chosen = page.chosen()
    ids = [head.run_id for head in [*page.table.top(WHOLE), *failed[-WHOLE:]]]
    return list(dict.fromkeys([*ids, *([chosen[2]] if chosen else [])]))


def _whole(store: Store, run_id: str, commands: Commands) -> object:
    return run_fields(store.tracker, store.tracker.get(run_id), commands=commands)
