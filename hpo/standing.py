"""What `hpo run FILE` means, given what the store knows of a sweep of that name."""

import difflib
import json
from enum import StrEnum

from hpo.budget import Stop
from hpo.driver import is_alive
from hpo.errors import ConfigError, SweepOwned
from trackers.records import Run, Status

DRIVER_TAG = "hpo.driver"
STOPPED_TAG = "hpo.stopped_by"


class Standing(StrEnum):
    """Whether a sweep is to be started, continued, or only shown."""

    NEW = "new"
    UNFINISHED = "unfinished"
    COMPLETE = "complete"


def standing(existing: Run | None, *, config: str, config_hash: str, n_trials: int, ended: int) -> Standing:
    """New, unfinished or complete; so the same command in a terminal, a cron job or a CI step always converges.

    Raises ConfigError, with the difference, where the file asks for other trials than the sweep on record, and
    SweepOwned where a living driver is at work on it.
    """
    if existing is None:
        return Standing.NEW
    facts = existing.sweep
    if facts is None:
        raise ConfigError(f"the store has a run named {existing.name!r} that is no sweep of ours; give another name:")
    if facts.config_hash != config_hash:
        raise ConfigError(
            f"the sweep {existing.name!r} in the store was made from a different file:\n"
            f"{difference(facts.config, config)}\n"
            "to run this one beside it: --new, or another name: in the file; nothing was run"
        )
    driver = existing.tags.get(DRIVER_TAG, "")
    if existing.status is Status.RUNNING and is_alive(driver):
        raise SweepOwned(f"the sweep {existing.name!r} is run by pid {driver}; nothing was done")
    if existing.status in (Status.RUNNING, Status.KILLED, Status.SCHEDULED) or n_trials > max(
        ended, facts.n_trials or 0
    ):
        return Standing.UNFINISHED
    budget_changed = json.loads(facts.config).get("budget") != json.loads(config).get("budget")
    stopped_by = existing.tags.get(STOPPED_TAG, Stop.N_TRIALS)
    can_go_on = stopped_by not in (Stop.N_TRIALS, Stop.EXHAUSTED) and ended < n_trials
    return Standing.UNFINISHED if budget_changed and can_go_on else Standing.COMPLETE


def difference(recorded: str, given: str) -> str:
    """The lines in which two configurations differ, `-` on record, `+` in the file."""
    before, after = (
        json.dumps(_trials_only(text), indent=1, sort_keys=True).splitlines() for text in (recorded, given)
    )
    return "\n".join(difflib.unified_diff(before, after, "on record", "this file", lineterm="", n=1))


def _trials_only(config: str) -> dict[str, object]:
    """Without the budget, which may change."""
    return {key: value for key, value in json.loads(config).items() if key != "budget"}
