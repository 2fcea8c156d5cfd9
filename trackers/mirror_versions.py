"""Sends the registered versions of a sweep to a server's registry, and where its models' aliases point."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trackers.errors import MirrorRefused
from trackers.failpoints import reach
from trackers.mirror_sender import model_key
from trackers.mlflow_registry import RemoteRegistry
from trackers.outbox import ALIAS, MODEL, RUN, VERSION, Mark, Outbox, version_digest, version_key
from trackers.records import ModelVersion
from trackers.registry import Registry

SWEEP_TAG = "hpo.sweep_run_id"
"""The tag by which a registered version names its sweep."""


@dataclass(frozen=True)
class AliasMove:
    """An alias that a mirror has elsewhere: `to` is our version, None where the alias is gone."""

    name: str
    alias: str
    to: ModelVersion | None

    @property
    def key(self) -> str:
        """Under which key it has its mark."""
        return f"{self.name}@{self.alias}"


def pending_versions(
    outbox: Outbox, registry: Registry, mirror: str, sweep_id: str, *, again: bool = False
) -> list[ModelVersion | AliasMove]:
    """The versions of a sweep that a mirror has not as they are, and the aliases of their models that it has not.

    Versions of other sweeps are sent with those; an alias that points to one that was not sent waits for it. `again`:
    the mirror lost what it was sent.
    """
    own = [version for version in registry.versions() if version.tags.get(SWEEP_TAG) == sweep_id]
    marks = outbox.marks(mirror, VERSION, [version_key(version) for version in own])
    found: list[ModelVersion | AliasMove] = []
    for version in own:
        mark = marks.get(version_key(version))
        if again or mark is None or mark.sent != version_digest(version):
            found.append(version)
    names = sorted({version.name for version in own})
    return [*found, *(move for name in names for move in _moves(outbox, registry, mirror, name, found, again=again))]


def _moves(
    outbox: Outbox,
    registry: Registry,
    mirror: str,
    name: str,
    coming: Sequence[ModelVersion | AliasMove],
    *,
    again: bool,
) -> Iterator[AliasMove]:
    versions = registry.versions(name)
    there = outbox.marks(mirror, VERSION, [version_key(version) for version in versions])
    now = {alias: version for version in versions for alias in version.aliases}
    events = [event.what for event in registry.history(name) if event.action == "alias"]
    aliases = sorted({*now, *events})
    marks = outbox.marks(mirror, ALIAS, [f"{name}@{alias}" for alias in aliases])
    for alias in aliases:
        version, mark = now.get(alias), marks.get(f"{name}@{alias}")
        if version is None:
            if mark and mark.sent:
                yield AliasMove(name, alias, None)
        elif (version in coming or version_key(version) in there) and (
            again or mark is None or mark.sent != str(version.version)
        ):
            yield AliasMove(name, alias, version)


@dataclass(frozen=True)
class VersionSender:
    """Sends versions and aliases; numbers are the server's own, so versions are known there by a tag."""

    remote: RemoteRegistry
    outbox: Outbox
    registry: Registry
    mirror: str
    note: Callable[[Mark], None]

    def send(self, sweep_id: str, sent: list[str], refused: dict[str, str], *, again: bool) -> None:
        """Sends what is pending; adds to `sent` what it was, and to `refused` why something could not go."""
        numbers: dict[str, int] = {}
        for item in pending_versions(self.outbox, self.registry, self.mirror, sweep_id, again=again):
            text = f"{item.name} {item.version}" if isinstance(item, ModelVersion) else item.key
            try:
                if isinstance(item, ModelVersion):
                    number = numbers[version_key(item)] = self._version(item)
                    sent.append(f"{item.name} version {number}, here {item.version}")
                else:
                    sent.append(self._alias(item, numbers))
                refused.pop(text, None)
            except MirrorRefused as error:
                refused[text] = str(error)

    def _version(self, version: ModelVersion) -> int:
        key = version_key(version)
        own = f"{version.run_id}/{version.created}/{key}"  # no other store has the same
        number = self.remote.find_version(version.name, own)
        if number is None:
            run_id, source, model_id = self._source(version)
            number = self.remote.create_version(version, key=own, source=source, run_id=run_id, model_id=model_id)
        reach("mirror.after_version")
        self.remote.change_version(version, number)
        self.note(Mark(VERSION, key, str(number), version_digest(version)))
        return number

    def _source(self, version: ModelVersion) -> tuple[str, str, str | None]:
        """The remote run, and what of it the version is made of."""
        run_id, key = version.run_id or "", model_key(version.run_id or "", version.model_id or "")
        run = self.outbox.marks(self.mirror, RUN, [run_id]).get(run_id)
        model = self.outbox.marks(self.mirror, MODEL, [key]).get(key)
        if run is None or model is None:
            raise MirrorRefused(f"the model of {version.name} version {version.version} was not sent")
        if model.remote.startswith("m-"):
            return run.remote, f"models:/{model.remote}", model.remote
        return run.remote, model.remote, None

    def _alias(self, move: AliasMove, numbers: dict[str, int]) -> str:
        if move.to is None:
            return self._drop_alias(move)
        key = version_key(move.to)
        number = numbers.get(key)
        if number is None:
            mark = self.outbox.marks(self.mirror, VERSION, [key]).get(key)
            if mark is None:
                raise MirrorRefused(f"{move.key} points to version {move.to.version}, which was not sent")
            number = int(mark.remote)
        self.remote.set_alias(move.name, move.alias, number)
        self.note(Mark(ALIAS, move.key, str(number), str(move.to.version)))
        return f"{move.key} on version {number}"

    def _drop_alias(self, move: AliasMove) -> str:
        """Takes an alias away, unless somebody has moved it on the server."""
        mark = self.outbox.marks(self.mirror, ALIAS, [move.key]).get(move.key)
        if mark and self.remote.alias(move.name, move.alias) == int(mark.remote):
            self.remote.set_alias(move.name, move.alias, None)
        self.note(Mark(ALIAS, move.key, mark.remote if mark else "0", ""))
        return f"{move.key} taken away"
