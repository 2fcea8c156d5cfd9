"""A sweep as a page shows it: what stands in a list of sweeps, and all that is known of one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.budget import Stop
from hpo.constraints_on_record import constraints_on_record
from hpo.front_on_record import goals_of
from hpo.masking import hidden
from hpo.progress import counts_on_record, front_size, seconds_used
from hpo.standing import STOPPED_TAG
from hpo.trial import State
from hpo.views.commands import Commands
from hpo.views.numbers import finite, number_of, seconds_between, whole_of
from hpo.views.settings import flat_settings
from trackers.records import Run, Status

ENDED = (State.COMPLETE, State.PRUNED, State.FAILED)
NOTE_TAG = "mlflow.note.content"


def status_of(run: Run) -> str:
    """The run's status; a sweep that was interrupted, and so can go on, reads INTERRUPTED."""
    return "INTERRUPTED" if run.status is Status.KILLED and run.sweep else run.status.value


def sweep_row(
    run: Run, *, counts: Mapping[str, int], now: int, registered: Sequence[Mapping[str, object]] = ()
) -> dict[str, object]:
    """One sweep in a list; times are milliseconds since 1970."""
    facts = run.sweep
    goals = goals_of(facts) if facts else {}
    return {
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "status": status_of(run),
        "metric": facts.metric if facts else None,
        "goal": facts.goal if facts else None,
        "goals": {name: goal.value for name, goal in goals.items()},
        "counts": {state: count for state, count in counts.items() if count},
        "n_trials": facts.n_trials if facts else None,
        "best": best_on_record(run),
        "front": _front(run) if len(goals) > 1 else None,
        "started": run.started,
        "ended": run.ended,
        "seconds": seconds_between(run.started, run.ended if run.ended is not None else now),
        "engine": run.params.get("engine"),
        "sampler": run.params.get("sampler"),
        "pruner": run.params.get("pruner"),
        "registered": list(registered),
        "note": run.tags.get(NOTE_TAG) or None,
    }


def best_on_record(run: Run) -> dict[str, object] | None:
    """Value and number of the best trial as the sweep's run says; None where it does not."""
    value = number_of(run.tags.get("hpo.best_value"))
    return None if value is None else {"value": value, "number": whole_of(run.tags.get("hpo.best_trial"))}


def left(run: Run, counts: Mapping[str, int]) -> dict[str, object] | None:
    """What is left of the budget of a sweep that runs: trials, seconds as far as they can be told, and how they were.

    None where it does not run.
    """
    if run.sweep is None or run.status is not Status.RUNNING:
        return None
    ended = sum(counts.get(state, 0) for state in ENDED)
    trials = max(0, run.sweep.n_trials - ended) if run.sweep.n_trials is not None else None
    used = _seconds_used(run)
    ways: list[tuple[float, str]] = []
    if trials is not None and ended and used:
        ways.append((used / ended * trials, f"{ended} trials took {used:.3g} s, {trials} are left"))
    timeout = finite(budget(run).get("timeout"))
    if timeout is not None and used is not None:
        ways.append((max(0.0, timeout - used), f"budget.timeout is {timeout:g} s, {used:.3g} s are used"))
    seconds, how = min(ways, default=(None, None), key=lambda way: way[0] or 0.0)
    return {"trials": trials, "seconds": seconds, "how": how}


def budget(run: Run) -> Mapping[str, object]:
    """The limits of a sweep as recorded."""
    given = flat_document(run).get("budget")
    return given if isinstance(given, dict) else {}


def flat_document(run: Run) -> Mapping[str, object]:
    """A sweep's configuration as recorded; empty where that is no JSON object."""
    try:
        loaded = json.loads(run.sweep.config) if run.sweep else {}
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def is_to_register(run: Run) -> bool:
    """Whether its file says that its winner is to be registered; the file is on record with one section a line."""
    return "\nregister: " in str(flat_document(run).get("file"))


def references_of(run: Run) -> Mapping[str, float]:
    """From where the sweep file says that a hypervolume is measured."""
    given = flat_document(run).get("references")
    return (
        {name: value for name, value in given.items() if finite(value) is not None} if isinstance(given, dict) else {}
    )


@dataclass(frozen=True)
class DriverFields:
    """Who drives a sweep, and whether that process lives: true, false, or null where nobody can tell."""

    text: str
    alive: bool | None
    stop_asked: bool = False


def sweep_details(run: Run, *, driver: DriverFields | None) -> dict[str, object]:
    """What stands beside the list's fields where one sweep is shown."""
    return {
        "budget": {key: value for key, value in budget(run).items() if key != "max_failures" or value is not None},
        "settings": flat_settings(flat_document(run)),
        "constraints": [constraint.text for constraint in constraints_on_record(run.sweep)],
        "seed": run.sweep.seed if run.sweep else None,
        "window": run.sweep.window if run.sweep else None,
        "driver": None if driver is None else vars(driver),
        "stopped_by": run.tags.get(STOPPED_TAG),
        "user": run.user or None,
        "tags": {key: value for key, value in run.tags.items() if not key.startswith(("hpo.", "mlflow."))},
        "record": hidden("record", _record(run)),
    }


def _record(run: Run) -> dict[str, str]:
    """What is on record of code, data and environment."""
    shown = ("hpo.data.", "hpo.git.", "hpo.python", "hpo.environment", "hpo.code", "hpo.machine", "mlflow.source.")
    return {key: value for key, value in run.tags.items() if key.startswith(shown)}


def commands_for(
    run: Run, commands: Commands, *, called: str, driver: DriverFields | None, may_register: bool
) -> list[dict[str, str]]:
    """What can be done with a sweep, by the name that commands call it."""
    name, is_driven = called, driver is not None and driver.alive is not False
    may_go_on = run.sweep is not None and not is_driven and run.status is not Status.FINISHED
    # failed ones have ended: without running them again there may be nothing left to do
    by_failures = run.status is Status.FAILED and run.tags.get(STOPPED_TAG) in (Stop.FAILURES, Stop.N_TRIALS)
    listed = [
        ("stop", "end its driver cleanly", commands("stop", name)) if is_driven else None,
        ("resume", "go on where it stopped", commands("resume", name, *(["--retry-failed"] if by_failures else [])))
        if may_go_on
        else None,
        ("best", "rank its trials", commands("best", name)),
        ("register", "register the best trial's model", commands("register", name)) if may_register else None,
        ("report", "write this page to one file", commands("report", name, "-o", "report.html")),
        ("export", "write its trials to a file", commands("export", name, "-o", "trials.csv")),
    ]
    return [{"name": found[0], "what": found[1], "command": found[2]} for found in listed if found]


def _seconds_used(run: Run) -> float | None:
    try:
        return seconds_used(run.tags) or None
    except (ValueError, TypeError, AttributeError):  # anybody may set a tag
        return None


def _front(run: Run) -> int | None:
    try:
        return front_size(run.tags)
    except (ValueError, AttributeError):
        return None


def counts_of(run: Run, counted: Mapping[str, int]) -> Mapping[str, int]:
    """Trials by state as the sweep's run tells, which costs nothing; else as they were counted."""
    return counts_on_record(run.tags) or counted
