"""Which sweeps of a store a driver is at work on, for what must not be done meanwhile."""

from hpo.driver import Driver, Life, life_of
from hpo.errors import SweepOwned
from trackers.opening import Store
from trackers.records import Query, Status


def check_none_is_driven(store: Store) -> None:
    """SweepOwned, naming sweep and driver, where a driver lives, or may live on another host."""
    for run in store.tracker.find(Query(sweeps=True, where=f"status = '{Status.RUNNING}'")):
        holder = store.ownership.holder(run.id)
        driver = Driver.parse(holder.owner) if holder else None
        if driver is not None and life_of(driver) is not Life.DEAD:
            raise SweepOwned(
                f"the sweep {run.name!r} is run by {driver}; nothing was done. To end that driver: hpo stop {run.name}"
            )
