"""The model registry on MLflow's tables.

What others change through MLflow is read as it stands. MLflow has no table for the history of changes, so what they
did is noted there by the next change of ours.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from trackers import registry_rules as rules
from trackers.errors import StoreUnavailable
from trackers.failpoints import reach
from trackers.records import ModelVersion, NewVersion, RegistryEvent
from trackers.registry import Registry
from trackers.sql.database import Database
from trackers.sql.own_schema import hpo_registry_events
from trackers.sql.registry_change import Change
from trackers.sql.registry_reading import check_model, find_number, read_events, read_version, read_versions
from trackers.sql.schema import model_versions, registered_model_tags

_PROMPT_TAG = "mlflow.prompt.is_prompt"
_TRIES = 3


def _now() -> int:
    return time.time_ns() // 1_000_000


class SqlRegistry:
    """Named models in a tracking database; MLflow sees every version, alias, stage and tag."""

    def __init__(self, database: Database, clock: Callable[[], int] = _now) -> None:
        self._database = database
        self._clock = clock

    def register(self, version: NewVersion) -> ModelVersion:
        """See `Registry`."""
        rules.check_version(version)
        reach("register.asked")
        tried = itertools.count()
        for _ in range(_TRIES):
            with suppress(sa.exc.IntegrityError):  # two made the model or the key at once: a server lets one wait, fail
                return self._database.repeat(lambda: self._register(version, again=next(tried) > 0))
        raise StoreUnavailable(f"{self._database.shown}: others register {version.name} all the time; try again")

    def versions(self, name: str | None = None) -> Sequence[ModelVersion]:
        """See `Registry`. Prompts, which MLflow keeps in the same tables, are left out."""
        with self._database.read() as connection:
            if name is not None:
                check_model(connection, name)
                return read_versions(connection, model_versions.c.name == name)
            prompts = sa.select(registered_model_tags.c.name).where(
                registered_model_tags.c.key == _PROMPT_TAG, registered_model_tags.c.value == "true"
            )
            return read_versions(connection, model_versions.c.name.not_in(prompts))

    def get(self, name: str, version: int | str) -> ModelVersion:
        """See `Registry`."""
        with self._database.read() as connection:
            check_model(connection, name)
            return read_version(connection, name, find_number(connection, name, version), asked=version)

    def set_alias(
        self,
        name: str,
        alias: str,
        version: int | None,
        *,
        who: str,
        why: str = "",
        rollback_from: int | None = None,
    ) -> int | None:
        """See `Registry`."""
        rules.check_who(who)
        if version is not None:
            rules.check_alias(alias)
        reach("alias.asked")
        with self._change(name, who, why) as change:
            before: int | None
            if version is None:
                before = change.drop_alias(alias)
            else:
                before = change.point(alias, change.read(version).version, rollback_from=rollback_from)
            reach("alias.before_commit")
        reach("alias.after_commit")
        return before

    def set_stage(
        self, name: str, version: int, stage: str, *, who: str, why: str = "", archive_existing: bool = True
    ) -> None:
        """See `Registry`."""
        rules.check_stage(stage)
        rules.check_who(who)
        with self._change(name, who, why) as change:
            change.move(change.read(version).version, stage, archive_existing=archive_existing)

    def annotate(
        self,
        name: str,
        version: int,
        *,
        who: str,
        why: str = "",
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        removed_tags: Sequence[str] = (),
    ) -> None:
        """See `Registry`."""
        rules.check_note(description, tags)
        rules.check_who(who)
        with self._change(name, who, why) as change:
            change.annotate(change.read(version), description, tags or {}, removed_tags)

    def history(self, name: str) -> Sequence[RegistryEvent]:
        """See `Registry`. Empty for a model that only MLflow has changed."""
        with self._database.read() as connection:
            has_log = self._database.layout().has(hpo_registry_events.name)
            events = read_events(connection, name) if has_log else []
            if not events:
                check_model(connection, name)
            return events

    def _register(self, version: NewVersion, *, again: bool) -> ModelVersion:
        """`again`: it may be done already, and only the answer was lost."""
        with self._change(version.name, version.who, version.why, make=True) as change:
            if again and (number := change.done(version)) is not None:
                return change.read(number)
            change.check_fence(version.fence)
            change.check_expected(version)
            number = change.known(version)
            if number is None:
                change.check_files(version)
                number = change.add(version)
            elif version.expected or version.fence:
                change.place(version, number)
            registered = change.read(number)
            reach("register.before_commit")
        reach("register.after_commit")
        return registered

    @contextmanager
    def _change(self, name: str, who: str, why: str, *, make: bool = False) -> Iterator[Change]:
        with self._database.write() as connection:
            change = Change(connection, self._database.layout(), name=name, at=self._clock(), who=who, why=why)
            change.lock(make=make)
            change.note_what_others_did()
            yield change


_: type[Registry] = SqlRegistry
