"""Where two runs came from, compared: their code, the data they read, and the environment they ran in."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.captures import CAPTURE_TAG, NO_CAPTURE, NOT_CAPTURED, Capture, capture_of, captures_on_record
from hpo.data_changes import data_changes
from hpo.errors import ProvenanceError
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code
from hpo.provenance.code_changes import code_changes
from hpo.provenance.environment import ENVIRONMENT_TAG, PYTHON_TAG, Environment
from hpo.provenance.environment_changes import environment_changes
from trackers.records import Dataset, Run
from trackers.tracker import Tracker

COMMIT_TAG, DIRTY_TAG = "mlflow.source.git.commit", "hpo.git.dirty"
DATA_TAG = "hpo.data."
UNKNOWN = "not on record"


@dataclass(frozen=True)
class Origin:
    """Where a sweep, or a trial of it, came from: what was captured then, and why that cannot be had where it was.

    The runs bring their data sets. `others` are captures of the sweep that this is none of.
    """

    sweep: Run
    trial: Run | None = None
    capture: Capture | None = None
    why: str = ""
    others: Sequence[str] = ()

    @property
    def code(self) -> Code | None:
        """The captured code."""
        captured = self.capture is not None and self.capture.code.without != NOT_CAPTURED
        return self.capture.code if self.capture and captured else None

    @property
    def environment(self) -> Environment | None:
        """The captured environment."""
        return self.capture.environment if self.capture and self.capture.environment.python else None

    @property
    def key(self) -> str:
        """Which capture of its sweep it is; empty where the sweep has none."""
        return (self.trial.tags.get(CAPTURE_TAG) if self.trial else None) or self.sweep.tags.get(CAPTURE_TAG, "")


@dataclass(frozen=True)
class Part:
    """One part of the comparison: whether both have the same of it (None: the record does not tell), what differs,
    what both have or why it cannot be told, and what was not looked at."""

    same: bool | None = None
    changes: Sequence[Changed] = ()
    note: str = UNKNOWN
    limits: Sequence[str] = ()


def origin_of(tracker: Tracker, sweep: Run, trial: Run | None = None) -> Origin:
    """What is on record of where it came from; both runs as `get` gives them."""
    try:
        capture, why = capture_of(tracker, sweep, trial), ""
    except ProvenanceError as error:
        capture, why = None, str(error)
    others = captures_on_record(tracker, sweep) - {capture.key} if capture else ()
    return Origin(sweep, trial, capture, why, sorted(others))


def code_part(before: Origin, after: Origin, repository: Path | None = None) -> Part:
    """The code of both, line by line where there is a repository that has their commits: the one given, or theirs."""
    if before.sweep.id == after.sweep.id and before.key == after.key != NO_CAPTURE:
        return Part(same=True, note=": ".join(filter(None, ["one sweep, one code", code_label(before)])))
    limits = list(_code_limits(before, after))
    if before.code is None or after.code is None:
        return _by_commit(before.sweep.tags, after.sweep.tags, limits)
    changes = code_changes(before.code, after.code, repository)
    if any(change.name == "commit" for change in changes):
        limits.append("no repository here has both commits; name a clone that has: --repository DIR")
    if changes:
        return Part(same=False, changes=changes, note="", limits=limits)
    if _has_lost_edits(before.code) or _has_lost_edits(after.code):
        return Part(note="edits were not captured: capture.diff was false", limits=limits)
    return Part(same=True, note=code_label(before), limits=limits)


def data_part(before: Origin, after: Origin) -> Part:
    """The data sets of both, by name; where they are not on record, the digests that tags keep."""
    old, new = _datasets(before), _datasets(after)
    if old or new:
        changes = data_changes(old, new)
        both = [f"{data.name} {data.digest[:12]}" for data in old]
        return Part(not changes, changes, "" if changes else ", ".join(dict.fromkeys(both)))
    digests, others = _digests(before.sweep.tags), _digests(after.sweep.tags)
    if not digests or not others:
        return Part()
    pairs = [(name, digests.get(name, ""), others.get(name, "")) for name in dict.fromkeys([*digests, *others])]
    changes = [Changed("data", name, was[:12], now[:12]) for name, was, now in pairs if was != now]
    return Part(not changes, changes, "" if changes else ", ".join(f"{name} {was[:12]}" for name, was, _ in pairs))


def environment_part(before: Origin, after: Origin) -> Part:
    """Python, packages, threads and hardware of both; where nothing was captured, what tags say of it."""
    if before.environment and after.environment:
        found = environment_changes(before.environment, after.environment)
        known = f"Python {before.environment.python}, {len(before.environment.packages)} packages"
        return Part(not found, found, "" if found else known)
    old, new = before.sweep.tags, after.sweep.tags
    if PYTHON_TAG not in old or PYTHON_TAG not in new or NO_CAPTURE in (before.key, after.key):
        return Part(note=before.why or after.why or UNKNOWN)
    python = Changed("python", "version", old[PYTHON_TAG], new[PYTHON_TAG])
    packages = Changed("package", "all", old.get(ENVIRONMENT_TAG, ""), new.get(ENVIRONMENT_TAG, ""))
    changes = [change for change in (python, packages) if change.before != change.after]
    both = f"Python {old[PYTHON_TAG]}, {old.get(ENVIRONMENT_TAG, 'packages not on record')}"
    return Part(not changes, changes, "" if changes else both)


def code_label(origin: Origin) -> str:
    """The code in a word: its commit, `+` and a digest of the edits beside it; '' where it is not on record."""
    code, tags = origin.code, origin.sweep.tags
    if code is None:
        commit = tags.get(COMMIT_TAG, "")
        return f"{commit[:8]}{'' if tags.get(DIRTY_TAG) == 'false' else '+edits'}" if commit else ""
    beside = hashlib.sha256(code.patch)
    for path in sorted(code.files):
        beside.update(path.encode() + b"\0" + code.files[path])
    digest = beside.hexdigest()[:6] if code.patch or code.files else ""
    return "+".join(filter(None, [code.commit[:8] or "files", digest]))


def data_labels(sweep: Run) -> Mapping[str, str]:
    """The digests of a sweep's data sets, by name."""
    return {data.name: data.digest for data in sweep.datasets} or _digests(sweep.tags)


def same_code(origins: Sequence[Origin]) -> bool | None:
    """Whether all ran the same code; None where the record does not tell."""
    parts = [code_part(origins[0], other) for other in origins[1:]]
    if any(part.same is False for part in parts):
        return False
    return True if all(part.same for part in parts) else None


def _has_lost_edits(code: Code) -> bool:
    """Whether files differed from the commit, and nothing says which."""
    return code.dirty and not (code.patch or code.files or code.left_out)


def _by_commit(old: Mapping[str, str], new: Mapping[str, str], limits: Sequence[str]) -> Part:
    """What tags say of code that was not captured: commits, and whether there were edits nobody kept."""
    one, other = old.get(COMMIT_TAG, ""), new.get(COMMIT_TAG, "")
    if not one or not other:
        return Part(limits=limits)
    edited = [tags.get(DIRTY_TAG) != "false" for tags in (old, new)]
    commits = zip((one, other), edited, strict=True)
    texts = [f"commit {commit[:12]}{' with edits' if dirty else ''}" for commit, dirty in commits]
    if one != other:
        return Part(same=False, changes=[Changed("code", "commit", *texts)], note="", limits=limits)
    if any(edited):
        return Part(note=f"{' and '.join(dict.fromkeys(texts))}; the edits are not on record", limits=limits)
    return Part(same=True, note=texts[0], limits=limits)


def _code_limits(before: Origin, after: Origin) -> Iterator[str]:
    """What was not captured, or is of a capture that is not looked at, so that nobody takes it for the same."""
    yield from dict.fromkeys(origin.why for origin in (before, after) if origin.why)
    left_out = {path: why for origin in (before, after) if origin.code for path, why in origin.code.left_out.items()}
    for path, why in sorted(left_out.items()):
        yield f"not compared, since it was not captured: {path} ({why})"
    for origin in {origin.sweep.id: origin for origin in (before, after) if origin.trial is None}.values():
        if origin.others:
            yield f"{origin.sweep.name} went on with other code or elsewhere: shown is where it began"


def _datasets(origin: Origin) -> Sequence[Dataset]:
    """What the sweep read, and what the trial read beyond that."""
    return [*origin.sweep.datasets, *(origin.trial.datasets if origin.trial else ())]


def _digests(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(DATA_TAG): digest for name, digest in tags.items() if name.startswith(DATA_TAG)}
