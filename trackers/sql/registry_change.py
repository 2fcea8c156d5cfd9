"""One change of a registered model: every row it writes, as MLflow writes them, and its lines of history."""

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from trackers import registry_rules as rules
from trackers.failpoints import reach
from trackers.records import Artifact, Fence, ModelVersion, NewVersion, RegistryEvent
from trackers.registry_log import ALIAS, ROLLBACK, unnoted
from trackers.sql.guard import Layout
from trackers.sql.own_schema import hpo_artifacts, hpo_owners, hpo_registry_events, hpo_registry_keys
from trackers.sql.registry_reading import (
    model_names,
    no_such_version,
    read_aliases,
    read_events,
    read_version,
    read_versions,
)
from trackers.sql.schema import (
    logged_model_tags,
    logged_models,
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_models,
)

VERSIONS_TAG = "mlflow.modelVersions"


class Change:
    """One change of one model, within one transaction."""

    def __init__(self, connection: sa.Connection, layout: Layout, *, name: str, at: int, who: str, why: str) -> None:
        self._connection = connection
        self._layout = layout
        self._name = name
        self._at = at
        self._who = who
        self._why = why

    def lock(self, *, make: bool = False) -> None:
        """Waits for other writers of this model, so that numbers have no gaps and no doubles."""
        own_row = sa.select(registered_models.c.name).where(registered_models.c.name == self._name).with_for_update()
        if self._connection.execute(own_row).first():
            return
        if not make:
            raise rules.no_model(self._name, model_names(self._connection))
        times = {"creation_time": self._at, "last_updated_time": self._at}
        self._insert(registered_models, {"name": self._name, **times})

    def check_fence(self, fence: Fence | None) -> None:
        """FencedOff where its owner no longer drives the sweep; until the end of the transaction it does."""
        if fence is None:
            return
        owners = hpo_owners.c
        held = sa.select(owners.heartbeat).where(owners.sweep_uuid == fence.sweep_id, owners.token == fence.token)
        if self._connection.execute(held.with_for_update()).first() is None:
            raise rules.fenced_off(fence)

    def note_what_others_did(self) -> None:
        """Adds to the history what was changed by tools that write none, so that it leads to what is live.

        Times in a history never go back, whatever the clocks of those who write it say.
        """
        events = read_events(self._connection, self._name)
        live = read_versions(self._connection, model_versions.c.name == self._name)
        seen = unnoted(events, live, name=self._name, at=self._at, seen_by=self._who)
        for event in seen:
            self._insert(hpo_registry_events, vars(event))
        self._at = max([self._at, *(event.at for event in [*events, *seen][-1:])])

    def read(self, number: int) -> ModelVersion:
        """A version as it stands now; NotFound where there is none, or a deleted one."""
        return read_version(self._connection, self._name, number)

    def known(self, version: NewVersion) -> int | None:
        """The number registered under the key before; None once somebody has deleted that version.

        The times must agree too: through MLflow a model can be deleted and its name and numbers used again.
        """
        keys, events = hpo_registry_keys, hpo_registry_events
        found = self._connection.execute(
            sa.select(keys.c.name, keys.c.version)
            .join(model_versions, _same_version(model_versions, keys))
            .join(events, _same_version(events, keys) & (events.c.at == model_versions.c.creation_time))
            .where(
                keys.c.key == rules.stored_key(version.key),
                model_versions.c.current_stage != rules.DELETED_STAGE,
                events.c.action == "register",
            )
        ).first()
        if found is None:
            return None
        if found.name != self._name:
            raise rules.key_is_taken(version, found.name, found.version)
        return int(found.version)

    def check_files(self, version: NewVersion) -> None:
        """NotFound where the run's manifest no longer lists a file that was verified a moment ago."""
        table = hpo_artifacts.c
        if version.files and self._layout.has(hpo_artifacts.name):
            rows = sa.select(table.path, table.size, table.sha256).where(table.run_uuid == version.run_id)
            rules.check_files(version, [Artifact(*row) for row in self._connection.execute(rows)])

    def add(self, version: NewVersion) -> int:
        """Writes the next version with all that belongs to it."""
        newest = sa.select(sa.func.max(model_versions.c.version)).where(model_versions.c.name == self._name)
        number = (self._connection.execute(newest).scalar() or 0) + 1
        reach("register.before_insert")
        self._insert_version(version, number)
        self._connection.execute(
            sa.delete(hpo_registry_keys).where(hpo_registry_keys.c.key == rules.stored_key(version.key))
        )
        self._insert(hpo_registry_keys, {"key": rules.stored_key(version.key), "name": self._name, "version": number})
        self._touch()
        self._note(number, "register", after=str(number))
        self.place(version, number)
        return number

    def check_expected(self, version: NewVersion) -> None:
        """AliasMoved where an alias does not point to the version that is expected."""
        if version.expected:
            rules.check_expected(version, self._aliases())

    def done(self, version: NewVersion) -> int | None:
        """The number under which a version was registered with all that was asked for; None where it was not."""
        number, aliases = self.known(version), self._aliases()
        return number if all(aliases.get(alias) == number for alias in version.aliases) else None

    def place(self, version: NewVersion, number: int) -> None:
        """Gives a version the aliases and the stage that are asked for."""
        reach("register.before_alias")
        for alias in version.aliases:
            self.point(alias, number)
        if version.stage is not None:
            self.move(number, version.stage)

    def point(self, alias: str, number: int, *, rollback_from: int | None = None) -> int | None:
        """Points an alias at a version, as a rollback where it is one; which version it pointed to before."""
        aliases = registered_model_aliases
        before = self._aliases().get(alias)
        if rollback_from is not None:
            rules.check_rollback(self._name, alias, before or 0, rollback_from)
        if before == number:
            return before
        if before is None:
            self._insert(aliases, {"name": self._name, "alias": alias, "version": number})
        else:
            own = (aliases.c.name == self._name) & (aliases.c.alias == alias)
            self._connection.execute(sa.update(aliases).where(own).values(version=number))
        action = ALIAS if rollback_from is None else ROLLBACK
        self._note(number, action, what=alias, before=str(before or ""), after=str(number))
        return before

    def drop_alias(self, alias: str) -> int:
        """Takes an alias away; which version it pointed to."""
        aliases = registered_model_aliases
        before = self._aliases().get(alias)
        if before is None:
            raise no_such_version(self._connection, self._name, alias)
        own = (aliases.c.name == self._name) & (aliases.c.alias == alias)
        self._connection.execute(sa.delete(aliases).where(own))
        self._note(before, ALIAS, what=alias, before=str(before))
        return before

    def move(self, number: int, stage: str, *, archive_existing: bool = True) -> None:
        """Sets the stage; the other holders of an active stage are archived."""
        holders = sa.select(model_versions.c.version).where(
            model_versions.c.name == self._name,
            model_versions.c.current_stage == stage,
            model_versions.c.version != number,
        )
        if archive_existing and stage in rules.ACTIVE_STAGES:
            for other in self._connection.execute(holders.order_by(model_versions.c.version)).scalars().all():
                self._set_stage(other, "Archived")
        self._set_stage(number, stage)

    def annotate(
        self, version: ModelVersion, description: str | None, tags: Mapping[str, str], removed_tags: Sequence[str] = ()
    ) -> None:
        """Sets the description and tags, and takes tags away."""
        removed = [key for key in removed_tags if key in version.tags and key not in tags]
        if description is None and not tags and not removed:
            return
        number, of = version.version, model_version_tags.c
        if description is not None:
            self._update(number, description=description)
        for key, value in tags.items():
            self._set_tag(number, key, value)
        own = (of.name == self._name) & (of.version == number) & of.key.in_(removed)
        self._connection.execute(sa.delete(model_version_tags).where(own))
        self._note(number, "annotate", what=rules.noted(description, tags, removed))

    def _insert_version(self, version: NewVersion, number: int) -> None:
        is_logged = version.model_id is not None and self._link(version.model_id, number)
        self._insert(
            model_versions,
            {
                "name": self._name,
                "version": number,
                "creation_time": self._at,
                "last_updated_time": self._at,
                "description": version.description or None,
                "user_id": version.who or None,
                "current_stage": "None",
                "source": f"models:/{version.model_id}" if is_logged else version.source,
                "storage_location": version.source,
                "run_id": version.run_id,
                "status": "READY",
            },
        )
        for key, value in version.tags.items():
            self._set_tag(number, key, value)

    def _link(self, model_id: str, number: int) -> bool:
        """Tells the logged model of its version, as MLflow does; False where no such model is logged."""
        if not self._layout.has(logged_models.name):  # before MLflow 3
            return False
        tags = logged_model_tags
        model = self._connection.execute(
            sa.select(logged_models.c.experiment_id).where(logged_models.c.model_id == model_id)
        ).first()
        if model is None:
            return False
        own = (tags.c.model_id == model_id) & (tags.c.tag_key == VERSIONS_TAG)
        before = self._connection.execute(sa.select(tags.c.tag_value).where(own)).scalar()
        text = json.dumps([*json.loads(before or "[]"), {"name": self._name, "version": number}])
        if before is not None:
            self._connection.execute(sa.update(tags).where(own).values(tag_value=text))
        else:
            key = {"model_id": model_id, "tag_key": VERSIONS_TAG, "experiment_id": model.experiment_id}
            self._insert(tags, {**key, "tag_value": text})
        return True

    def _set_stage(self, number: int, stage: str) -> None:
        before = self.read(number).stage
        if before == stage:
            return
        self._update(number, current_stage=stage)
        self._touch()
        self._note(number, "stage", what=stage, before=before, after=stage)

    def _set_tag(self, number: int, key: str, value: str) -> None:
        tags = model_version_tags
        own = (tags.c.name == self._name) & (tags.c.version == number) & (tags.c.key == key)
        if self._connection.execute(sa.update(tags).where(own).values(value=value)).rowcount == 0:
            self._insert(tags, {"name": self._name, "version": number, "key": key, "value": value})

    def _update(self, number: int, **values: str) -> None:
        own = (model_versions.c.name == self._name) & (model_versions.c.version == number)
        self._connection.execute(sa.update(model_versions).where(own).values(last_updated_time=self._at, **values))

    def _touch(self) -> None:
        own = registered_models.c.name == self._name
        self._connection.execute(sa.update(registered_models).where(own).values(last_updated_time=self._at))

    def _aliases(self) -> dict[str, int]:
        return read_aliases(self._connection, self._name)

    def _insert(self, table: sa.Table, row: Mapping[str, object]) -> None:
        full = {**self._layout.fill(table.name), **row}
        # by the columns' names alone: an upgraded table has some that ours does not know
        target = sa.table(table.name, *(sa.column(name) for name in full))
        self._connection.execute(sa.insert(target).values(**full))

    def _note(self, number: int, action: str, *, what: str = "", before: str = "", after: str = "") -> None:
        event = RegistryEvent(self._at, self._who, action, self._name, number, what, before, after, self._why)
        self._insert(hpo_registry_events, vars(event))


def _same_version(one: sa.Table, other: sa.Table) -> sa.ColumnElement[bool]:
    return (one.c.name == other.c.name) & (one.c.version == other.c.version)
