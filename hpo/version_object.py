"""A registered version as plain values, for programs: the same from a command and from a flow."""

from trackers.records import ModelVersion


def version_object(version: ModelVersion | None) -> dict[str, object] | None:
    """Its `name`, `version` and `aliases`; None where nothing was registered."""
    if version is None:
        return None
    return {"name": version.name, "version": version.version, "aliases": list(version.aliases)}
