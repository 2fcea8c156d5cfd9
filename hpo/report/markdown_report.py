"""A sweep as Markdown with pictures beside it, for a pull request."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from hpo.errors import EngineError
from hpo.report.texts import duration, markdown, number
from hpo.views.commands import Commands
from hpo.views.front_fields import front_fields
from hpo.views.importance_fields import importance_fields
from hpo.views.space_fields import recorded_space
from hpo.views.sweep_page import SweepPage
from hpo.views.winner_fields import winner_fields
from trackers.opening import Store
from trackers.records import Query

log = logging.getLogger(__name__)
TOP = 10
MOST_MEMBERS = 30
PICTURES = ("history", "parallel")


def markdown_report(store: Store, page: SweepPage, pictures: Sequence[str], *, now: int, commands: Commands) -> str:
    """The text; `pictures` are the names of files to show."""
    sweep = page.whole(store, now=now, commands=commands)
    lines = [f"# {markdown(page.run.name)}", ""]
    if sweep["note"]:
        lines += [markdown(sweep["note"]), ""]
    lines += [*_table(("", ""), _facts(page, sweep)), ""]
    lines += [line for name in pictures for line in (f"![{markdown(Path(name).stem)}]({quote(name)})", "")]
    lines += _winner(store, page)
    if len(page.table.goals) > 1:
        lines += ["## Pareto front", "", *_members(page), ""]
    else:
        lines += ["## Best trials", "", *_best(page), ""]
    lines += _importance(page)
    lines += ["<details><summary>Settings</summary>", "", *_settings(sweep["settings"]), "", "</details>", ""]
    return "\n".join(lines)


def with_pictures(store: Store, page: SweepPage, file: Path, *, now: int, commands: Commands) -> str:
    """Draws the pictures beside the file and gives its text; without matplotlib, text alone."""
    pictures = _drawn(store, page, file)
    return markdown_report(store, page, pictures, now=now, commands=commands)


def _drawn(store: Store, page: SweepPage, file: Path) -> list[str]:
    try:
        from hpo.drawing import save_figure
        from hpo.plots import plot
    except EngineError as error:
        log.warning("no pictures: %s", error)
        return []
    runs = store.tracker.find(Query(parent=page.run.id))
    if page.metric is None or not any(run.trial and run.trial.value is not None for run in runs):
        return []
    drawn = []
    for kind in PICTURES:
        name = f"{file.stem}-{kind}.png"
        save_figure(plot(kind, runs, metric=page.metric, goal=page.table.goal), file.with_name(name), "png")
        drawn.append(name)
    return drawn


def _facts(page: SweepPage, sweep: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    best, counts = page.best(), page.table.counts()
    goals = sweep["goals"] if isinstance(sweep["goals"], Mapping) else {}
    yield "state", str(sweep["status"]) + (f", stopped by {sweep['stopped_by']}" if sweep["stopped_by"] else "")
    yield "metric", ", ".join(f"{name} ({goal})" for name, goal in goals.items()) or _unknown_goal(page)
    if len(page.table.goals) > 1:
        yield "front", f"{len(_front(page))} trials that no other one beats"
    elif best:
        yield "best", f"{number(best['value'])} by trial {best['number']}"
    yield "trials", ", ".join(f"{count} {state}" for state, count in counts.items()) or "0"
    yield "searched with", " ".join(str(sweep[key]) for key in ("engine", "sampler", "pruner") if sweep[key])
    yield "took", duration(sweep["seconds"])


def _unknown_goal(page: SweepPage) -> str:
    return f"{page.metric} (no goal is on record; taken to be {page.table.goal})" if page.metric else ""


def _winner(store: Store, page: SweepPage) -> list[str]:
    winner = winner_fields(store, page.run, page.chosen())
    if winner is None:
        return []
    lines = [f"## Winner: trial {winner['number']}", ""]
    if winner["version"]:
        aliases = winner["aliases"] if isinstance(winner["aliases"], list) else []
        pointed = f" ({', '.join(map(markdown, aliases))})" if aliases else ""
        lines += [f"Registered as {markdown(winner['model'])} version {winner['version']}{pointed}.", ""]
    elif winner["refused"]:
        lines += [f"Not registered: {markdown(winner['refused'])}.", ""]
    else:
        lines += ["Not registered.", ""]
    gates = winner["gates"] if isinstance(winner["gates"], list) else []
    for gate in gates:
        if isinstance(gate, Mapping):
            said = "passed" if gate.get("passed") else "refused"
            lines.append(f"- gate {markdown(gate.get('gate'))} {said}: {markdown(gate.get('text'))}")
    return [*lines, ""] if gates else lines


def _best(page: SweepPage) -> Iterable[str]:
    rows = {row.head.run_id: row for row in page.table.rows()}
    best = [rows[head.run_id] for head in page.table.top(TOP)]
    names = list(dict.fromkeys(name for row in best for name in row.body.params))
    shown = [
        [
            str(row.head.number),
            number(row.head.value if row.head.attempt is not None else row.body.metrics.get(page.metric or "")),
            *(_choice(row.body.params, name) for name in names),
        ]
        for row in best
    ]
    return _table(["trial", page.metric or "value", *names], shown)


def _front(page: SweepPage) -> Sequence[Mapping[str, object]]:
    found = front_fields(page.table.rows(), page.table.goals, {})["members"]
    return found if isinstance(found, list) else []


def _members(page: SweepPage) -> Iterable[str]:
    """The front, best by the first metric first; of a large one the first few."""
    rows = {row.head.run_id: row.body for row in page.table.rows()}
    members = [(member["number"], rows[str(member["run"])]) for member in _front(page)]
    params = list(dict.fromkeys(name for _, body in members for name in body.params))
    shown = [
        [
            str(trial),
            *(number(body.metrics[name]) for name in page.table.goals),
            *(_choice(body.params, name) for name in params),
        ]
        for trial, body in members[:MOST_MEMBERS]
    ]
    yield from _table(["trial", *page.table.goals, *params], shown)
    if len(members) > MOST_MEMBERS:
        yield from ("", f"The first {MOST_MEMBERS} of {len(members)}.")


def _choice(params: Mapping[str, object], name: str) -> str:
    """A parameter's value; empty where the trial does not have it."""
    if name not in params:
        return ""
    return "null" if params[name] is None else number(params[name])


def _importance(page: SweepPage) -> list[str]:
    found = importance_fields(page.table.valued(), recorded_space(page.run), page.metric, page.table.goal)
    branches = found["branches"] if isinstance(found["branches"], list) else []
    if not branches:
        return []
    rows = [
        (of["branch"] or "all trials", name, f"{share:.0%}")
        for of in branches
        for name, share in of["importances"].items()
    ]
    return ["## What matters", "", *_table(("where", "parameter", "share"), rows), ""]


def _settings(settings: object) -> Iterable[str]:
    return _table(("setting", "value"), settings.items()) if isinstance(settings, Mapping) else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(map(markdown, head))} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(markdown(cell) for cell in row)} |" for row in rows]
