"""Outcomes that workers wrote down themselves, so that a result outlives a driver that died before recording it."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hpo.executor import FinishedResults
from hpo.trial import InputFile, Outcome, Report, SavedFile, SavedModel, State, Trial

WORTH_SAVING = 0.1
"""Seconds a trial must have taken: writing one down durably takes milliseconds, as running a shorter one again does."""

SLOTS = 2
"""So many slots can write down all such trials; of more of them each takes longer, for they share one disk."""

_PART = ".part"


@dataclass(frozen=True)
class ResultFolder:
    """A folder of one sweep with a file `<number>-<attempt>.json` for each outcome that is not yet on record.

    Only outcomes of trials that took at least `worth_saving` seconds are written. Plain JSON under a checksum: half a
    file, an altered one or one of another attempt is no result. Can be pickled.
    """

    folder: Path
    worth_saving: float = WORTH_SAVING

    def shared_by(self, slots: int) -> "ResultFolder":
        """The same folder for that many slots: all together write at most 20 results a second, so 64 slots write down
        trials of 3.2 s. A sync for every trial of 512 slots keeps a disk from doing anything else.
        """
        return replace(self, worth_saving=WORTH_SAVING * max(slots / SLOTS, 1))

    def save(self, outcome: Outcome) -> None:
        """Writes a trial's outcome durably, if it took long enough to be worth it.

        A disk that refuses costs the second copy only: the driver is about to be told the outcome anyway.
        """
        if outcome.seconds < self.worth_saving:
            return
        text = json.dumps(asdict(outcome))
        path = self.folder / _name(outcome.number, outcome.attempt)
        part = path.with_suffix(f".{os.getpid()}{_PART}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8", errors="surrogatepass") as stream:
                stream.write(f"{_digest(text)}\n{text}")
                stream.flush()
                os.fsync(file)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()  # it would keep the room that a full disk lacks

    def adopt(self, trials: Sequence[Trial]) -> Sequence[Outcome]:
        """The outcomes of these attempts that are here; all else that lies here is of no use any more and removed."""
        wanted = {_name(trial.number, trial.attempt) for trial in trials}
        outcomes = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            outcome = _read(path) if path.name in wanted else None
            if outcome is not None and _name(outcome.number, outcome.attempt) == path.name:
                outcomes.append(outcome)
            else:
                with suppress(OSError):
                    path.unlink()
        return outcomes

    def forget(self, outcome: Outcome) -> None:
        """Removes what is on record now, whoever wrote it."""
        if outcome.seconds >= WORTH_SAVING:
            with suppress(OSError):
                os.unlink(f"{self.folder}/{_name(outcome.number, outcome.attempt)}")  # noqa: PTH108  # for each trial

    def close(self) -> None:
        """Removes the folder if nothing is left in it."""
        with suppress(OSError):
            self.folder.rmdir()


def _name(number: int, attempt: int) -> str:
    return f"{number}-{attempt}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> Outcome | None:
    try:
        digest, _, text = path.read_text("utf-8", errors="surrogatepass").partition("\n")
        return outcome_from(json.loads(text)) if digest == _digest(text) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def outcome_from(facts: dict[str, object]) -> Outcome:
    """An outcome of what `dataclasses.asdict` and JSON made of it; TypeError, ValueError or KeyError for all else."""

    def each(
        kind: type[Report] | type[SavedFile] | type[SavedModel] | type[InputFile], name: str
    ) -> tuple[object, ...]:
        items = facts.get(name)
        return tuple(kind(**item) for item in items) if isinstance(items, list) else ()

    replicates = facts.get("replicates")
    made = {
        "reports": each(Report, "reports"),
        "files": each(SavedFile, "files"),
        "models": each(SavedModel, "models"),
        "inputs": each(InputFile, "inputs"),
        "replicates": tuple(map(outcome_from, replicates)) if isinstance(replicates, list) else (),
    }
    return Outcome(**{**facts, **made, "state": State(str(facts["state"]))})  # type: ignore[arg-type]  # as saved


_: type[FinishedResults] = ResultFolder
