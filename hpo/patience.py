"""How a driver deals with a store in trouble: the settings, the spool, and the last line that says how to go on."""

import contextlib
import logging
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from hpo.config.fields import Duration
from hpo.errors import ClusterUnavailable, ConfigError
from hpo.masking import hide_patterns
from hpo.patient_registry import PatientRegistry
from hpo.patient_tracker import PatientTracker
from hpo.places import default_store
from hpo.repeating import Patience
from hpo.spool import Record, Spool, spool_folders
from trackers.errors import StoreUnavailable
from trackers.garbage import local_path
from trackers.opening import Store

log = logging.getLogger(__name__)

RETRY_FOR = "HPO_STORE_RETRY_FOR"
LONGEST_TRY = 10.0
"""Seconds that one try to write waits for a process that keeps the store busy."""


def retry_seconds(configured: float, environment: Mapping[str, str]) -> float:
    """How long to wait for a store: what the environment says, else the sweep file; ConfigError for nonsense."""
    text = environment.get(RETRY_FOR, "")
    if not text:
        return configured
    try:
        return float(text) if text.strip("0.") == "" else TypeAdapter(Duration).validate_python(_number_or_text(text))
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"${RETRY_FOR} must be a time: seconds, or 90s, 10m, 1h30m; got {text!r}") from error


def spool_of(store: Store, sweep_id: str, environment: Mapping[str, str], artifact_uri: str = "") -> Spool:
    """Where the results of a sweep are kept while the store does not take them.

    `artifact_uri` of a sweep on record: whoever goes on may be in another folder and have other artifacts.
    """
    path = urlsplit(store.uri).path.removeprefix("/") if store.uri.startswith("sqlite") else ""
    database = Path(path).expanduser().absolute() if path else None
    folders = spool_folders(store.artifacts, database, environment, Path(tempfile.gettempdir()))
    before = local_path(artifact_uri)  # <artifacts>/<experiment>/<run>/artifacts
    return Spool(sweep_id, list(dict.fromkeys([*folders, *(before.parents[2:3] if before else ())])))


def patient(store: Store, spool: Spool, retry_for: float, over: Callable[[], bool]) -> PatientTracker:
    """The store's tracker with patience; `over` ends the waiting early, but not one try."""
    store.wait_at_most(min(LONGEST_TRY, retry_for / 4))
    return PatientTracker(store.tracker, spool, Patience(retry_for, over))


def with_patient_registry(store: Store, retry_for: float, over: Callable[[], bool]) -> Store:
    """The same open store, whose registry waits for it as long as its tracker would."""
    return replace(store, registry=PatientRegistry(store.registry, Patience(retry_for, over)))


def take_in(spool: Spool, record: Record) -> int:
    """Puts on record what an earlier driver had to keep aside, and says so; how many results that were."""
    taken = spool.take_in(record)
    if taken:
        log.info("%d result%s that the store had refused before are on record now", taken, "s" if taken > 1 else "")
    return taken


@contextlib.contextmanager
def resumable(sweep: str, uri: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Lets the error of a store, or a cluster, that is in trouble end with the command that goes on."""
    where = "" if uri == default_store(environment) else f" --tracker {shlex.quote(hide_patterns(uri))}"
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error}, then: hpo resume {shlex.quote(sweep)}{where}") from error
    except ClusterUnavailable as error:
        raise ClusterUnavailable(f"{error}; go on with: hpo resume {shlex.quote(sweep)}{where}") from error


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()
