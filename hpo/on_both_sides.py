"""Where two runs came from, compared: their code, the data they read, and the environment they ran in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.data_changes import data_changes
from hpo.provenance.changed import Changed
from hpo.provenance.environment import ENVIRONMENT_TAG, PYTHON_TAG
from trackers.records import Dataset, Run

COMMIT_TAG, DIRTY_TAG = "mlflow.source.git.commit", "hpo.git.dirty"
DATA_TAG = "hpo.data."
UNKNOWN = "not on record"

Place = tuple[Run, Run | None]
"""The run of a sweep, and a trial of it, which may have run elsewhere; both with their data sets."""


@dataclass(frozen=True)
class Part:
    """One part of the comparison: whether both have the same of it (None: the record does not tell), what differs,
    the real diff of code, and what else is to be said of it, such as what both have or why it cannot be told."""

    same: bool | None = None
    changes: Sequence[Changed] = ()
    note: str = UNKNOWN
    text: str = ""
    limits: Sequence[str] = ()


def code_part(before: Place, after: Place) -> Part:
    """The code of both."""
    old, new = before[0].tags, after[0].tags
    if before[0].id == after[0].id:
        return Part(same=True, note="one sweep, one code")
    return _by_commit(old, new)


def data_part(before: Place, after: Place) -> Part:
    """The data sets of both, by name; where they are not on record, the digests that tags keep."""
    old, new = _datasets(before), _datasets(after)
    if old or new:
        changes = data_changes(old, new)
        both = [f"{data.name} {data.digest[:12]}" for data in old]
        return Part(not changes, changes, "" if changes else ", ".join(dict.fromkeys(both)))
    digests, others = _digests(before[0].tags), _digests(after[0].tags)
    if not digests or not others:
        return Part()
    pairs = [(name, digests.get(name, ""), others.get(name, "")) for name in dict.fromkeys([*digests, *others])]
    changes = [Changed("data", name, was[:12], now[:12]) for name, was, now in pairs if was != now]
    return Part(not changes, changes, "" if changes else ", ".join(f"{name} {was[:12]}" for name, was, _ in pairs))


def _datasets(place: Place) -> Sequence[Dataset]:
    """What the sweep read, and what the trial read beyond that."""
    sweep, trial = place
    return [*sweep.datasets, *(trial.datasets if trial else ())]


def environment_part(before: Place, after: Place) -> Part:
    """Python, packages, threads and hardware of both."""
    old, new = before[0].tags, after[0].tags
    if PYTHON_TAG not in old or PYTHON_TAG not in new:
        return Part()
    kinds: tuple[tuple[str, str], ...] = ((PYTHON_TAG, "Python"), (ENVIRONMENT_TAG, "packages"))
    changes = [
        Changed("python" if tag == PYTHON_TAG else "package", name, old.get(tag, ""), new.get(tag, ""))
        for tag, name in kinds
        if old.get(tag) != new.get(tag)
    ]
    return Part(not changes, changes, f"Python {old[PYTHON_TAG]}, {old.get(ENVIRONMENT_TAG, 'packages not on record')}")


def _by_commit(old: Mapping[str, str], new: Mapping[str, str]) -> Part:
    """What tags say of code that was not captured: commits, and whether there were edits nobody kept."""
    one, other = old.get(COMMIT_TAG, ""), new.get(COMMIT_TAG, "")
    if not one or not other:
        return Part()
    edited = [tags.get(DIRTY_TAG) != "false" for tags in (old, new)]
    texts = [
        f"commit {commit[:12]}{' with edits' if dirty else ''}"
        for commit, dirty in zip((one, other), edited, strict=True)
    ]
    if one != other:
        return Part(same=False, changes=[Changed("code", "commit", *texts)], note="")
    if any(edited):
        return Part(same=None, note=f"{' and '.join(dict.fromkeys(texts))}; the edits are not on record")
    return Part(same=True, note=texts[0])


def _digests(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(DATA_TAG): digest for name, digest in tags.items() if name.startswith(DATA_TAG)}
