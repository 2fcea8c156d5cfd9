"""Loads a registered model for use, by name and version or alias."""

import os
import re

from hpo.champion import NotComparable, kept_files
from hpo.errors import ConfigError, HpoError
from hpo.places import URI_VARIABLES, places_of
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store

_SCHEME = "models:/"
_NAMED = re.compile(r"([^/:]+)(?:@([^/:@]+)|/([^/:@]+))")


def load_model(model: str, *, tracker: str | None = None, trust_pickle: bool = False) -> object:
    """The fitted estimator registered as `name@alias`, `name/3` or `name/latest`, with or without `models:/` before.

    Every file of it is compared with the manifest of its run first, and what is loaded is the very bytes that were
    compared. A skops file can make nothing but the types that scikit-learn models are made of. A pickle runs whatever
    code is in it, so it is loaded only with `trust_pickle`. `tracker` is the store, else $HPO_TRACKER, else
    $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.

    Raises NotFound for a model, version or alias that is not there, ModelError for one that is altered or not to be
    trusted, HpoError where the store has no manifest of it, ConfigError for a name that cannot be one.
    """
    name, version = _parsed(model)
    uri = places_of([tracker, *(os.environ.get(variable) for variable in URI_VARIABLES)]).store
    with open_store(uri, read_only=True) as store:
        found = store.registry.get(name, version)
        try:
            kept = kept_files(found, store.tracker)
        except NotComparable as error:
            raise HpoError(
                f"model {name} version {found.version} is not loaded: {error}; where MLflow logged it and you trust "
                f"that, load it by: mlflow.sklearn.load_model('models:/{name}/{found.version}')"
            ) from error
    return ArtifactFolder().load_model(kept.artifact_uri, kept.path, kept.files, trust_pickle=trust_pickle)


def _parsed(model: str) -> tuple[str, int | str]:
    found = _NAMED.fullmatch(model.removeprefix(_SCHEME))
    if found is None:
        raise ConfigError(f"a registered model is named name@alias, name/3 or name/latest, got {model!r}")
    name, alias, version = found.groups()
    return name, alias or (int(version) if version.isdecimal() else version)
