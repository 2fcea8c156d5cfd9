"""The clusters by the names a sweep file calls them, and the executors over them."""

from dataclasses import replace

from hpo.errors import ConfigError
from hpo.executor import Executor
from hpo.executors.devices import Share, dask_resources
from hpo.executors.limits import Limits
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.placement import Placement
from hpo.executors.work import Work

JOBLIB = "joblib:"
"""What begins the name of a backend that joblib knows, or that somebody has registered there."""


def on_dask(work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster) -> Executor:
    """Trials on the workers of a dask cluster."""
    from hpo.executors.remote.dask_placement import DaskPlacement

    if cluster.address is None and share != Share():
        raise ConfigError("parallel: a local dask cluster deals no devices to trials; use backend loky or ray")
    return _executor(work, slots, limits, share, cluster, DaskPlacement(cluster.address, slots, dask_resources(share)))


def on_ray(work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster) -> Executor:
    """Trials on the nodes of a Ray cluster."""
    from hpo.executors.remote.ray_placement import ray_placement

    cluster = replace(cluster, share=share)
    return _executor(work, slots, limits, share, cluster, ray_placement(cluster, slots))


def on_joblib(name: str, work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster) -> Executor:
    """Trials wherever a backend of joblib runs its tasks."""
    from hpo.executors.remote.joblib_placement import joblib_placement

    if share != Share():
        raise ConfigError(
            f"parallel: joblib cannot deal devices through its backend {name}; use backend loky, dask or ray"
        )
    placement = joblib_placement(name, cluster, search_path=work.search_path)
    return _executor(work, slots, limits, share, cluster, placement)


def _executor(work: Work, slots: int, limits: Limits, share: Share, cluster: Cluster, placement: Placement) -> Executor:
    from hpo.executors.remote.remote_executor import RemoteExecutor  # asyncio takes its time to import

    cluster = replace(cluster, share=share)
    return RemoteExecutor(work, slots=slots, limits=limits, placement=placement, cluster=cluster)
