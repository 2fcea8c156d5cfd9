"""Sends a sweep of an open store to one server, as the only one who does so."""

import contextlib
import hashlib
from collections.abc import Iterator

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
def sending(store: Store, mirror: str, sweep_id: str, name: str) -> Iterator[Mirroring]:
    """Sends within the block; see `only_sender`. Imports MLflow."""
    from trackers.mlflow_mirror import MlflowServer

    with only_sender(store, mirror, sweep_id, name):
        mirroring = Mirroring(outbox_of(store), store.registry, MlflowServer(mirror), sweep_id)
        try:
            yield mirroring
        finally:
            mirroring.flush()


@contextlib.contextmanager
def only_sender(store: Store, mirror: str, sweep_id: str, name: str) -> Iterator[None]:
    """Keeps others from sending this sweep there; SweepOwned where one does.

    Two that send at once would both find nothing there, and make everything twice.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(claimed(store.ownership, _claim_id(mirror, sweep_id), f"{name} to {mirror}"))
        except SweepOwned as error:
            text = f"another process is sending sweep {name!r} to {mirror}; nothing was sent by this one"
            raise SweepOwned(text) from error
        yield


def _claim_id(mirror: str, sweep_id: str) -> str:
    """What is claimed: not the sweep, which has a driver, but its sending to that server."""
    return hashlib.sha256(f"mirror {mirror} {sweep_id}".encode()).hexdigest()[:32]
