"""The executors by the names a sweep file calls them (`parallel.backend`)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import ConfigError
from hpo.executor import Executor
from hpo.executors.devices import Share, devices_of_slots
from hpo.executors.limits import Limits
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.names import JOBLIB, on_dask, on_joblib, on_ray
from hpo.executors.result_folder import ResultFolder
from hpo.executors.work import Work
from hpo.front import Goals
from hpo.objective import Objective, Surroundings, TrialFiles
from hpo.replication import Replication
from hpo.trial import Goal

if TYPE_CHECKING:  # for the type only: joblib takes 0.3 s to import
    from hpo.executors.worker_source import WorkerSource


def _loky(
    work: Work,
    slots: int,
    limits: Limits,
    share: Share,
    cluster: Cluster,  # noqa: ARG001  # executors are all made alike
    source: "WorkerSource | None" = None,
) -> Executor:
    from hpo.executors.process_executor import ProcessExecutor  # joblib takes 0.3 s to import

    devices = devices_of_slots(share, slots)
    return ProcessExecutor(work, slots=slots, limits=limits, devices=devices, source=source)


def _threading(work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster) -> Executor:  # noqa: ARG001
    from hpo.executors.thread_executor import ThreadExecutor

    _refuse(limits, share, "threading")
    return ThreadExecutor(work, slots=slots)


def _serial(work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster) -> Executor:  # noqa: ARG001
    from hpo.executors.serial_executor import SerialExecutor

    _refuse(limits, share, "serial")
    if slots != 1:
        raise ConfigError(f"parallel: backend serial runs one trial at a time, got n_jobs {slots}; use loky")
    return SerialExecutor(work)


def _refuse(limits: Limits, share: Share, backend: str) -> None:
    if limits.any:
        raise ConfigError(f"objective.timeout and .memory: backend {backend} cannot end a trial; write backend: loky")
    if share != Share():
        raise ConfigError(
            f"parallel: backend {backend} has one process, and so no devices per trial; write backend: loky"
        )


EXECUTORS: Mapping[str, Callable[[Work, int, Limits, Share, Cluster], Executor]] = {
    "loky": _loky,
    "threading": _threading,
    "serial": _serial,
    "dask": on_dask,
    "ray": on_ray,
}
"""Backend name to what makes its executor; beside these there is joblib:NAME."""


def make_executor(
    backend: str,
    *,
    slots: int,
    objective: Objective,
    metric: str,
    goal: Goal,
    files: TrialFiles | None,
    scratch: Path,
    inner_threads: int | None = 1,
    search_path: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008  # frozen
    results: ResultFolder | None = None,
    asks: bool = False,
    surroundings: Surroundings | None = None,
    others: Goals | None = None,
    replication: Replication | None = None,
    share: Share = Share(),  # noqa: B008  # frozen
    cluster: Cluster = Cluster(),  # noqa: B008  # frozen
    source: "WorkerSource | None" = None,
) -> Executor:
    """An executor whose workers have the objective ready; ObjectiveError where they cannot.

    `scratch` is a folder for this driver alone, made if needed and not removed. Close the executor when done.
    `results` is a folder of the sweep that outlives this driver. With `asks`, trials that report wait for the answer
    given to `wait`. `others` are the further metrics of a sweep by several. With `replication` each
    trial runs its point several times. `share` is what each trial has of its machine's GPUs and processors. `cluster`
    is where other machines are, for the backends that use them. ClusterUnavailable where none of those can be had.
    `source` has started workers of loky already, and is closed with the executor.
    """
    make = partial(on_joblib, backend.removeprefix(JOBLIB)) if backend.startswith(JOBLIB) else EXECUTORS.get(backend)
    if make is None:
        raise ConfigError(f"parallel.backend must be one of {', '.join(EXECUTORS)}, {JOBLIB}NAME, got {backend!r}")
    work = Work(
        objective=objective,
        metric=metric,
        goal=goal,
        files=files,
        scratch=scratch.absolute(),
        inner_threads=inner_threads,
        search_path=tuple(search_path),
        results=results.shared_by(slots) if results else None,
        asks=asks,
        surroundings=surroundings,
        others=others or {},
        replication=replication,
    )
    if backend == "loky":
        make = partial(_loky, source=source)
    return make(work, slots, limits, share, cluster)
