"""What a name on the command line means where a registered model stands for the trial that it came from."""

from hpo.errors import NothingFound
from hpo.naming import find_run
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import Run


def find_recorded(store: Store, text: str, named: str = "the store") -> Run:
    """The run that `SWEEP`, `SWEEP#17`, `MODEL@champion` or `MODEL@3` names; `named` is how messages name the store.

    Raises NothingFound, with the nearest names, and NotFound where a model has no such version or alias.
    """
    model, _, version = text.rpartition("@")
    if "#" in text or not model:
        return find_run(store.tracker, text, named)
    if not _is_model(store, model):
        try:
            return find_run(store.tracker, text, named)
        except NothingFound as error:
            raise NothingFound(f"no model {model!r}, and {error}") from error
    found = store.registry.get(model, int(version) if version.isdecimal() and len(version) < 10 else version)
    label = f"{model} version {found.version}"
    if found.run_id is None:
        raise NothingFound(f"{label} names no run that it came from; see: hpo models {model}")
    try:
        return store.tracker.get(found.run_id)
    except NotFound as error:
        raise NothingFound(f"{label} came from run {found.run_id}, which {named} does not hold") from error


def _is_model(store: Store, name: str) -> bool:
    try:
        return bool(store.registry.versions(name))
    except NotFound:
        return False
