"""Model versions as MLflow's tables hold them, whoever wrote them."""

from collections.abc import Sequence

import sqlalchemy as sa

from trackers import registry_rules as rules
from trackers.errors import NotFound
from trackers.records import ModelVersion, RegistryEvent
from trackers.sql.functions import code_points
from trackers.sql.own_schema import hpo_registry_events
from trackers.sql.schema import model_version_tags, model_versions, registered_model_aliases, registered_models


def read_versions(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[ModelVersion]:
    """The versions that are not deleted, by name and number."""
    rows = connection.execute(
        sa.select(model_versions)
        .where(where, model_versions.c.current_stage != rules.DELETED_STAGE)
        .order_by(code_points(model_versions.c.name), model_versions.c.version)
    ).all()
    tags = _grouped(connection, model_version_tags, where)
    aliases = _grouped(connection, registered_model_aliases, where)
    return [
        _version(row, tags.get((row.name, row.version), []), aliases.get((row.name, row.version), [])) for row in rows
    ]


def _grouped(
    connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]
) -> dict[tuple[str, int], list[sa.Row[tuple[object, ...]]]]:
    """The rows of a table by the version they belong to, of those versions only."""
    names = sa.select(model_versions.c.name).where(where)
    found: dict[tuple[str, int], list[sa.Row[tuple[object, ...]]]] = {}
    for row in connection.execute(sa.select(table).where(table.c.name.in_(names))):
        found.setdefault((row.name, row.version), []).append(row)
    return found


def _version(
    row: sa.Row[tuple[object, ...]],
    tags: Sequence[sa.Row[tuple[object, ...]]],
    aliases: Sequence[sa.Row[tuple[object, ...]]],
) -> ModelVersion:
    logged = rules.MODEL_ID.fullmatch(row.source or "")
    return ModelVersion(
        name=row.name,
        version=row.version,
        source=row.storage_location or row.source or "",
        run_id=row.run_id,
        stage=row.current_stage,
        aliases=sorted(alias.alias for alias in aliases),
        description=row.description or "",
        tags={tag.key: tag.value or "" for tag in sorted(tags, key=lambda tag: str(tag.key))},
        created=row.creation_time or 0,
        model_id=logged.group(1) if logged else None,
        user=row.user_id or "",
    )


def read_version(
    connection: sa.Connection, name: str, number: int | None, asked: int | str | None = None
) -> ModelVersion:
    """One version by number; NotFound, naming what was asked for, where there is none."""
    found = read_versions(connection, (model_versions.c.name == name) & (model_versions.c.version == number))
    if not found:
        raise no_such_version(connection, name, number if asked is None else asked)
    return found[0]


def find_number(connection: sa.Connection, name: str, version: int | str) -> int | None:
    """The number that a number, an alias or `latest` means, None where it means none."""
    newest = sa.select(sa.func.max(model_versions.c.version)).where(
        model_versions.c.name == name, model_versions.c.current_stage != rules.DELETED_STAGE
    )
    return rules.number_of(version, connection.execute(newest).scalar() or 0, read_aliases(connection, name))


def read_aliases(connection: sa.Connection, name: str) -> dict[str, int]:
    """The aliases of a model and the versions they point to."""
    aliases = registered_model_aliases
    rows = connection.execute(sa.select(aliases.c.alias, aliases.c.version).where(aliases.c.name == name))
    return {row.alias: row.version for row in rows}


def read_events(connection: sa.Connection, name: str) -> list[RegistryEvent]:
    """The history of a model, oldest first."""
    events = hpo_registry_events
    columns = [column for column in events.c if column.name != "id"]
    rows = connection.execute(sa.select(*columns).where(events.c.name == name).order_by(events.c.id))
    return [RegistryEvent(**row) for row in rows.mappings()]


def model_names(connection: sa.Connection) -> Sequence[str]:
    """The names of all registered models."""
    return connection.execute(sa.select(registered_models.c.name)).scalars().all()


def check_model(connection: sa.Connection, name: str) -> None:
    """NotFound where no model of that name is registered."""
    own = sa.select(registered_models.c.name).where(registered_models.c.name == name)
    if connection.execute(own).first() is None:
        raise rules.no_model(name, model_names(connection))


def no_such_version(connection: sa.Connection, name: str, asked: int | str | None) -> NotFound:
    """The error for an unknown version, naming those there are."""
    versions = [version.version for version in read_versions(connection, model_versions.c.name == name)]
    return rules.no_version(name, asked, versions, read_aliases(connection, name))
