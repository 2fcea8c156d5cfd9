"""What `hpo run FILE` and `hpo resume SWEEP` mean, given what the store knows of the sweep."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

from hpo.budget import Stop
from hpo.difference import difference
from hpo.errors import ConfigError
from hpo.trial import State
from trackers.records import Dataset, Run, Status

STOPPED_TAG = "hpo.stopped_by"
ENDED = (State.COMPLETE, State.PRUNED, State.FAILED)


class Standing(StrEnum):
    """Whether a sweep is to be continued, or only shown."""

    UNFINISHED = "unfinished"
    COMPLETE = "complete"


def check_same(existing: Run, *, config: str, config_hash: str, datasets: Sequence[Dataset] = ()) -> None:
    """ConfigError, with the difference, where a sweep on record has other trials than this configuration makes.

    The budget may differ. Data sets are compared by their digests, as far as both sides have them.
    """
    facts = existing.sweep
    if facts is None:
        raise ConfigError(f"the store has a run named {existing.name!r} that is no sweep of ours; give another name:")
    if facts.config_hash != config_hash:
        raise ConfigError(
            f"the sweep {existing.name!r} in the store was made from a different file:\n"
            f"{difference(facts.config, config)}\n"
            "--fork starts a new sweep from this file that reuses the trials which fit it; --new one that reuses none; "
            f"`hpo resume {existing.name}` goes on with the sweep as it was; nothing was run"
        )
    changed = [
        name.rpartition(".")[2]
        for name, digest in data_tags(datasets).items()
        if existing.tags.get(name, digest) != digest
    ]
    if changed:
        raise ConfigError(
            f"the sweep {existing.name!r} in the store saw other data than there is now "
            f"({', '.join(changed)}); to run it on this data: --new; nothing was run"
        )


def standing(existing: Run, *, config: str, n_trials: int, ended: int) -> Standing:
    """Unfinished or complete; so the same command in a terminal, a cron job or a CI step always converges."""
    facts = existing.sweep
    recorded = facts.n_trials or 0 if facts else 0
    if existing.status in (Status.RUNNING, Status.KILLED, Status.SCHEDULED) or n_trials > max(ended, recorded):
        return Standing.UNFINISHED
    before = json.loads(facts.config).get("budget") if facts else None
    stopped_by = existing.tags.get(STOPPED_TAG, Stop.N_TRIALS)
    can_go_on = stopped_by not in (Stop.N_TRIALS, Stop.EXHAUSTED) and ended < n_trials
    return Standing.UNFINISHED if can_go_on and before != json.loads(config).get("budget") else Standing.COMPLETE


def ended_count(history: Sequence[Run]) -> int:
    """How many of a sweep's trials ended, whichever way."""
    return sum(run.trial is not None and State(run.trial.state) in ENDED for run in history)


def data_tags(datasets: Sequence[Dataset]) -> Mapping[str, str]:
    """The digests of a sweep's data sets as tags of its parent run."""
    return {f"hpo.data.{'test' if d.context == 'test' else 'train'}": d.digest for d in datasets}
