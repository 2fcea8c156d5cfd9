"""Worker processes that start while their driver still imports, opens the store and finds out what is to be done."""

import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hpo.config.schema import SweepConfig
from hpo.provenance.machine import usable_cores
from hpo.scratch import new_scratch

if TYPE_CHECKING:  # for the type only: joblib takes 0.3 s to import
    from hpo.executors.worker_source import WorkerSource

COMMON = ("hpo.trial_files", "hpo.mlflow_in_trials", "hpo.secret_keeping")
"""What work consists of beside its objective; importing these brings nothing of the user's."""


class EarlyWorkers:
    """The first workers of a sweep; none outlives the block, however that ends.

    They wait for their work with nothing of the user's imported, so that the driver is still the first to do that.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._source: WorkerSource | None = None
        self._is_taken = False

    def start(self, config: SweepConfig) -> None:
        """Starts workers for a sweep, no more than there are cores; none where the slots are not all alike."""
        parallel = config.parallel
        if parallel.backend != "loky" or parallel.asks_for_device or self._folder is not None:
            return
        from hpo.executors.worker_source import WorkerKind, WorkerSource

        asks = config.metric.name if config.pruner else ""
        with suppress(OSError):  # no process is to be had now: whoever needs one says so
            self._folder = new_scratch()
            self._source = WorkerSource(WorkerKind(self._folder, parallel.inner_threads, asks))
            number = min(parallel.slots(usable_cores()), usable_cores())
            self._source.start_early(number, (*COMMON, *_objective_of(config)))

    def take(self) -> "WorkerSource | None":
        """What has them, for the one executor that asks first; None where there are none."""
        source = None if self._is_taken else self._source
        self._is_taken = True
        return source

    def close(self) -> None:
        """Ends those that are left, and removes their folder; whoever took them has to be closed before."""
        if self._source is not None:
            self._source.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _objective_of(config: SweepConfig) -> tuple[str, ...]:
    kinds = (name for name in ("python", "command", "sklearn") if getattr(config.objective, name) is not None)
    return tuple(f"hpo.objectives.{kind}_objective" for kind in kinds)
