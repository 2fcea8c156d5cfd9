"""What `hpo run FILE` and `hpo resume SWEEP` mean, given what the store knows of the sweep."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from hpo.budget import Stop
from hpo.data_changes import dataset_change
from hpo.data_record import INPUT
from hpo.difference import difference
from hpo.errors import ConfigError
from hpo.provenance.changed import Changed
from hpo.provenance.file_digest import DIGEST_LENGTH
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

    The budget may differ. Data sets are compared by their digests, as far as both sides have them; `existing` comes
    with its own (see `Tracker.get`).
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
    if changed := "\n".join(changed_data(existing, datasets)):
        raise ConfigError(
            f"the sweep {existing.name!r} in the store saw other data than there is now:\n"
            f"{changed}\nto run it on this data: --new; nothing was run"
        )


def standing(existing: Run, *, config: str, n_trials: int, ended: Callable[[], int]) -> Standing:
    """Unfinished or complete; so the same command in a terminal, a cron job or a CI step always converges.

    `ended` counts the trials that have; it is asked only where that matters, for it may have to read them all.
    """
    if existing.status in (Status.RUNNING, Status.KILLED, Status.SCHEDULED):
        return Standing.UNFINISHED
    facts, count = existing.sweep, ended()
    if n_trials > max(count, facts.n_trials or 0 if facts else 0):
        return Standing.UNFINISHED
    before = json.loads(facts.config).get("budget") if facts else None
    stopped_by = existing.tags.get(STOPPED_TAG, Stop.N_TRIALS)
    can_go_on = stopped_by not in (Stop.N_TRIALS, Stop.EXHAUSTED) and count < n_trials
    return Standing.UNFINISHED if can_go_on and before != json.loads(config).get("budget") else Standing.COMPLETE


def ended_count(history: Sequence[Run]) -> int:
    """How many of a sweep's trials ended, whichever way."""
    return sum(run.trial is not None and State(run.trial.state) in ENDED for run in history)


def data_tags(datasets: Sequence[Dataset]) -> Mapping[str, str]:
    """The digests of a sweep's data sets as tags of its parent run; files that its own file names have one together."""
    own = [data for data in datasets if data.context != INPUT]
    named = sorted((data.name, data.digest) for data in datasets if data.context == INPUT)
    together = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:DIGEST_LENGTH]
    return {
        **{f"hpo.data.{'test' if data.context == 'test' else 'train'}": data.digest for data in own},
        **({"hpo.data.inputs": together} if named else {}),
    }


def changed_data(existing: Run, datasets: Sequence[Dataset]) -> Sequence[str]:
    """What differs in the data that both sides know, in lines; `existing` comes with its data sets.

    What only one of them knows is none: files to record may be added to a sweep file, or left out, at any time.
    """
    known = {(data.name, data.context): data for data in existing.datasets}
    same = {(data.name, data.digest) for data in existing.datasets}
    new = [data for data in datasets if (data.name, data.digest) not in same]
    changes = [dataset_change(known[key], data) for data in new if (key := (data.name, data.context)) in known]
    named = [line for change in changes for line in _lines(change)]
    tags = data_tags([data for data in datasets if data.context != INPUT])
    other = [name.rpartition(".")[2] for name, digest in tags.items() if existing.tags.get(name, digest) != digest]
    return named or [f"  {name}: recorded under another name, with another digest" for name in other]


def _lines(change: Changed) -> list[str]:
    return [f"  {change}", *(f"    {line}" for line in change.detail.splitlines())]
