"""Who drives a sweep, watched for a while: tells a driver on another host that died where no server's clock does."""

import os
from dataclasses import replace

from hpo.driver import Life
from hpo.lease import LeaseWatch, lease_seconds
from hpo.views.sweep_fields import DriverFields
from hpo.views.sweep_list import driver_of
from trackers.opening import Store
from trackers.ownership import Holder
from trackers.records import Run


class DriverWatch:
    """Looks again and again. Where one look cannot tell whether the driver lives, a heartbeat that moved since the
    first one says that it does, and one that stood still for a whole lease that it does not."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._lease: LeaseWatch | None = None
        self._text = ""
        self._alive: bool | None = None

    def look(self) -> DriverFields | None:
        """Who drives the sweep by now, as far as one can tell."""
        found = driver_of(self._store, self._run)
        if found is None or found.alive is not None:
            self._lease = None
            return found
        if self._lease is None or found.text != self._text:
            self._text, self._alive = found.text, None
            self._lease = self._new_lease()
        life = self._lease.look(self._holder)
        if life is Life.ALIVE:
            self._lease = self._new_lease()  # from this heartbeat on
        self._alive = {Life.ALIVE: True, Life.DEAD: False}.get(life, self._alive)
        return replace(found, alive=self._alive)

    def _new_lease(self) -> LeaseWatch:
        lease = LeaseWatch(lease_seconds(os.environ))
        lease.look(self._holder)
        return lease

    def _holder(self) -> Holder | None:
        return self._store.ownership.holder(self._run.id)
