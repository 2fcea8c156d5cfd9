"""Which sweeps of a store a driver is at work on, for what must not be done meanwhile."""

from hpo.driver import Driver, Life
from hpo.errors import SweepOwned
from hpo.lease import life_of_holder
from trackers.opening import Store
from trackers.records import Query, Status


def check_none_is_driven(store: Store) -> None:
    """SweepOwned, naming sweep and driver, where a driver lives, or may live on another host."""
    for run in store.tracker.find(Query(sweeps=True, where=f"status = '{Status.RUNNING}'")):
        holder = store.ownership.holder(run.id)
        if holder is not None and life_of_holder(holder) is not Life.DEAD:
            raise SweepOwned(
                f"the sweep {run.name!r} is run by {Driver.parse(holder.owner)}; nothing was done. "
                f"To end that driver: hpo stop {run.name}"
            )
