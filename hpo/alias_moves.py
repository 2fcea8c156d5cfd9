"""Moves aliases and stages of registered models by hand: forth, and back to where an alias pointed before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpo.errors import HpoError, NothingFound
from hpo.model_history import History
from trackers.errors import NotFound
from trackers.records import Artifact, ModelVersion
from trackers.registry import Registry
from trackers.registry_log import Stop, stops
from trackers.tracker import Tracker

Verify = Callable[[str, Sequence[Artifact]], Sequence[str]]
"""Given a run's artifact URI and files of its manifest, the paths of those that are missing or altered."""


@dataclass(frozen=True)
class Moved:
    """An alias, or a stage, that was moved: the version, what was there before ('' for nothing), and what there is now.

    `checked` is how many files of the version were verified; 0 where nothing is known of them.
    """

    version: int
    before: str
    after: str
    checked: int
    passed_over: Sequence[int] = ()


@dataclass(frozen=True)
class Moves:
    """Moves what belongs to one model; every move is a line of its history, by `who` and with `why`."""

    tracker: Tracker
    registry: Registry
    verify: Verify
    name: str
    who: str
    why: str = ""

    def point(self, alias: str, asked: int | str) -> Moved:
        """Points the alias at a version. HpoError where a file of it is missing or altered; then nothing was moved."""
        version = self.registry.get(self.name, asked)
        checked = self._check(version, f"alias {alias} was not moved")
        before = self.registry.set_alias(self.name, alias, version.version, who=self.who, why=self.why)
        return Moved(version.version, str(before or ""), str(version.version), checked)

    def move(self, asked: int | str, stage: str) -> Moved:
        """Moves a version to a stage, with the same care; who held an active stage is archived."""
        version = self.registry.get(self.name, asked)
        checked = self._check(version, f"it was not moved to stage {stage}")
        self.registry.set_stage(self.name, version.version, stage, who=self.who, why=self.why)
        return Moved(version.version, version.stage, stage, checked)

    def roll_back(self, alias: str, *, force: bool = False) -> Moved:
        """Points the alias at the version it pointed to before, as the history has it; again: further back.

        HpoError where that version was deleted or its files are not what was registered. With `force` deleted ones are
        passed over, and files are not looked at.
        """
        history = History.read(self.registry, self.name, now=0, seen_by=self.who)
        here, *earlier = stops(history.all, alias)
        known = {version.version: version for version in self.registry.versions(self.name)}
        gone = []
        for stop in earlier:
            if stop.version == here.version:
                continue  # what lay between is gone
            version = known.get(stop.version)
            if version is not None and not stop.is_gone:
                break
            gone.append(stop.version)
        else:
            raise self._nowhere(alias, here, gone)
        if gone and not force:
            raise HpoError(
                f"version {gone[0]} of model {self.name}, to which alias {alias} pointed before, was deleted; "
                f"with --force it goes further back, to version {version.version}"
            )
        what = f"alias {alias} was not rolled back from version {here.version}; --force does it all the same"
        checked = 0 if force else self._check(version, what)
        self.registry.set_alias(
            self.name, alias, version.version, who=self.who, why=self.why, rollback_from=here.version
        )
        return Moved(version.version, str(here.version or ""), str(version.version), checked, gone)

    def _check(self, version: ModelVersion, otherwise: str) -> int:
        uri, files = files_of(version, self.tracker)
        spoiled = self.verify(uri, files) if files else ()
        if spoiled:
            raise HpoError(
                f"version {version.version} of model {self.name}: {', '.join(spoiled)} is missing or altered below "
                f"{uri}, so {otherwise}"
            )
        return len(files)

    def _nowhere(self, alias: str, here: Stop, gone: Sequence[int]) -> HpoError:
        if gone:
            listed = ", ".join(map(str, gone))
            return HpoError(
                f"every version that alias {alias} of model {self.name} pointed to before is gone: {listed}"
            )
        if here.version:
            return NothingFound(
                f"alias {alias} of model {self.name} points to version {here.version}, and there is nothing before "
                f"that to roll back to; see: hpo history {self.name} --alias {alias}"
            )
        there = sorted({name for version in self.registry.versions(self.name) for name in version.aliases})
        aliases = f"it has {', '.join(there)}" if there else "it has none"
        return NothingFound(f"model {self.name} has no alias {alias!r} and never had; {aliases}")


def files_of(version: ModelVersion, tracker: Tracker) -> tuple[str, Sequence[Artifact]]:
    """The artifact URI of the run that a version came from, and the files of its model by that run's manifest.

    None where nothing vouches for them: MLflow keeps no manifest.
    """
    try:
        run = tracker.get(version.run_id or "")
    except NotFound:
        return "", ()
    below = f"{run.artifact_uri.rstrip('/')}/"
    if not version.source.startswith(below):
        return run.artifact_uri, ()
    folder = f"{version.source.removeprefix(below).rstrip('/')}/"
    files = [artifact for artifact in tracker.artifacts(run.id) if artifact.path.startswith(folder)]
    return run.artifact_uri, files
