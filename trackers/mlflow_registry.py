"""The model registry of a remote MLflow server as a mirror needs it."""

from typing import TYPE_CHECKING

from trackers.errors import MirrorRefused
from trackers.mlflow_asking import THERE_ALREADY, asking, silent
from trackers.records import ModelVersion

if TYPE_CHECKING:  # for the type only: it takes seconds to import
    from mlflow import MlflowClient

KEY_TAG = "hpo.key"
"""The tag by which a remote version is found again: numbers are the server's own."""
PAGE = 200


class RemoteRegistry:
    """Models, versions and aliases of one server; errors as for `MlflowServer`."""

    def __init__(self, uri: str, client: "MlflowClient") -> None:
        self._uri = uri
        self._client = client

    def find_version(self, name: str, key: str) -> int | None:
        """The number of the version with that key; None where there is none."""
        token = None
        while True:
            with asking(self._uri, f"model {name!r}"):
                page = self._client.search_model_versions(f"name = '{_quoted(name)}'", PAGE, page_token=token)
            for version in page:
                if version.tags.get(KEY_TAG) == key:
                    return int(version.version)
            token = page.token
            if not token:
                return None

    def create_version(self, version: ModelVersion, *, key: str, source: str, run_id: str, model_id: str | None) -> int:
        """The number of a new version of a registered model, which is made if missing."""
        name, tags = version.name, {**version.tags, KEY_TAG: key}
        try:
            with asking(self._uri, f"model {name!r}"):
                self._client.create_registered_model(name)
        except MirrorRefused as error:
            if error.code != THERE_ALREADY:
                raise
        with asking(self._uri, f"model {name!r}"):
            made = self._client.create_model_version(
                name, source, run_id, tags, description=version.description, await_creation_for=0, model_id=model_id
            )
        return int(made.version)

    def change_version(self, version: ModelVersion, number: int) -> None:
        """Sets description, tags and stage."""
        name, text = version.name, str(number)
        with asking(self._uri, f"version {number} of model {name!r}"), silent():
            known = self._client.get_model_version(name, text)
            if (known.description or "") != version.description:
                self._client.update_model_version(name, text, version.description)
            for key, value in version.tags.items():
                if known.tags.get(key) != value:
                    self._client.set_model_version_tag(name, text, key, value)
            if known.current_stage != version.stage:
                self._client.transition_model_version_stage(name, text, version.stage)

    def alias(self, name: str, alias: str) -> int | None:
        """Which version an alias points to."""
        with asking(self._uri, f"model {name!r}"):
            version = self._client.get_registered_model(name).aliases.get(alias)
        return None if version is None else int(version)

    def set_alias(self, name: str, alias: str, number: int | None) -> None:
        """Points an alias at a version; None takes it away."""
        with asking(self._uri, f"model {name!r}"):
            if number is None:
                self._client.delete_registered_model_alias(name, alias)
            else:
                self._client.set_registered_model_alias(name, alias, str(number))


def _quoted(text: str) -> str:
    return text.replace("'", "''")
