"""Sends a sweep of an open store to one server, as the only one who does so."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

from hpo.errors import ConfigError, SweepOwned
from hpo.ownership import claimed
from trackers.mirroring import Mirroring, Standing, standing
from trackers.opening import Store
from trackers.outbox import Outbox


def outbox_of(store: Store) -> Outbox:
    """The store's outbox; ConfigError for a store that no other process can read."""
    if store.outbox is None:
        raise ConfigError(f"{store.uri} is gone with its process, so nothing of it can be mirrored")
    return store.outbox


def standing_of(store: Store, mirror: str, sweep_id: str) -> Standing:
    """How much of a sweep a mirror has, and how much it lacks."""
    return standing(outbox_of(store), store.registry, mirror, sweep_id)


@contextlib.contextmanager
def sending(
    store: Store, mirror: str, sweep_id: str, name: str, *, note_every: Callable[[], float] = lambda: 1.0
) -> Iterator[Mirroring]:
    """Sends within the block; SweepOwned where another process sends this sweep there.

    Two that send at once would both find nothing there, and make everything twice. Imports MLflow.
    """
    from trackers.mlflow_mirror import MlflowServer

    try:
        with claimed(store.ownership, _claim_id(mirror, sweep_id), f"{name} to {mirror}"):
            mirroring = Mirroring(
                outbox_of(store), store.registry, MlflowServer(mirror), sweep_id, note_every=note_every
            )
            try:
                yield mirroring
            finally:
                mirroring.flush()
    except SweepOwned as error:
        raise SweepOwned(f"another process is sending sweep {name!r} to {mirror}; nothing was sent by this one") from (
            error
        )


def _claim_id(mirror: str, sweep_id: str) -> str:
    """What is claimed: not the sweep, which has a driver, but its sending to that server."""
    return hashlib.sha256(f"mirror {mirror} {sweep_id}".encode()).hexdigest()[:32]
