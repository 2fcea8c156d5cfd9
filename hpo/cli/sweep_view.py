"""All that is known of one sweep."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo import ranking
from hpo.branches import NEEDED
from hpo.budget import Stop
from hpo.cli.fields_view import Fields
from hpo.cli.front_view import front_object, front_text, goals_text
from hpo.cli.models_command import model_objects
from hpo.cli.sweep_rows import counts_text, sweep_object
from hpo.cli.text import cell, duration, short_time
from hpo.cli.trial_rows import trial_object
from hpo.driver import Driver, Life
from hpo.front_on_record import FrontOnRecord, front_of, goals_of, several_of
from hpo.lease import life_of_holder
from hpo.mirrors.recorded import mirrors_in
from hpo.mirrors.sending import standing_of
from hpo.standing import STOPPED_TAG
from hpo.trial import Goal
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import ModelVersion, Query, Run, Status
from trackers.tracker import Tracker

SWEEP_TAG = "hpo.sweep_run_id"
"""The tag by which a registered version names its sweep."""


@dataclass(frozen=True)
class SweepView:
    """A sweep with what belongs to it, read from the store; `now` in milliseconds since 1970."""

    run: Run
    fields: dict[str, object]
    best: Run | None
    registered: Sequence[dict[str, object]]
    store: str
    driver: str
    may_go_on: bool
    mirrors: Sequence[dict[str, object]] = ()
    front: FrontOnRecord | None = None

    @classmethod
    def read(cls, opened: Store, run: Run, *, store: str, now: float) -> "SweepView":
        """Reads it all; `store` is how messages name it."""
        tracker, registry, holder = opened.tracker, opened.registry, opened.ownership.holder(run.id)
        counts = tracker.counts([run.id]).get(run.id, {})
        facts = run.sweep
        front = front_of(tracker, run) if several_of(run) else None
        best = ranking.best(tracker, run.id, facts.metric, Goal(facts.goal), limit=1) if facts and not front else ()
        versions = [version for version in registry.versions() if _is_of(version, run, tracker)]
        fields = sweep_object(run, counts, now)
        driver = Driver.parse(holder.owner) if holder else None
        is_dead = holder is not None and life_of_holder(holder) is Life.DEAD
        ended = run.status is Status.FINISHED or (run.status is Status.FAILED and not _by_failures(run))
        return cls(
            run,
            fields,
            best[0] if best else None,
            model_objects(tracker, versions),
            store,
            driver=f"{driver}{', which is dead' if is_dead else ''}" if driver else "",
            may_go_on=facts is not None and not ended and (driver is None or is_dead),
            mirrors=_mirrors(opened, run),
            front=front,
        )

    def details(self) -> dict[str, object]:
        """Everything, for programs."""
        facts = self.run.sweep
        return {
            **self.fields,
            "seed": facts.seed if facts else None,
            "window": facts.window if facts else None,
            "settings": settings(facts.config) if facts else None,
            "stopped_by": self.run.tags.get("hpo.stopped_by"),
            "driver": self.driver or None,
            "best": trial_object(self.best, facts.metric) if self.best and facts else None,
            **({"front": front_object(self.front)} if self.front else {}),
            "registered": list(self.registered),
            "mirrors": list(self.mirrors),
            "store": self.store,
            "artifact_uri": self.run.artifact_uri,
            "tags": dict(self.run.tags),
        }

    def for_people(self) -> Fields:
        """What people ask first, and what to do next."""
        run, facts, seconds = self.run, self.run.sweep, self.fields["seconds"]
        loaded = settings(facts.config) if facts else None
        return {
            "sweep": run.name,
            "state": self.fields["state"],
            "stopped by": run.tags.get("hpo.stopped_by"),
            "driver": self.driver or None,
            "trials": counts_text(self.fields["trials"], self.fields["n_trials"]),
            "metric": goals_text(goals_of(facts)) if facts else None,
            "best": front_text(self.front) if self.front else self._best_text(),
            "best params": (self.best.trial or self.best).params if self.best else None,
            "registered": [_version_text(version) for version in self.registered],
            "mirrors": [_mirror_text(mirror) for mirror in self.mirrors],
            "started": short_time(run.started),
            "took": duration(seconds if isinstance(seconds, float) else None),
            "note": run.tags.get("mlflow.note.content"),
            "settings": {name: _setting(value) for name, value in loaded.items()} if loaded else None,
            "run_id": run.id,
            "experiment": run.experiment,
            "store": self.store,
            "artifacts at": run.artifact_uri,
            "next": "\n".join(self._next()),
        }

    def _best_text(self) -> str | None:
        if self.best is None or self.run.sweep is None:
            return None
        number = f"trial {self.best.trial.number}" if self.best.trial else self.best.name
        return f"{cell(self.best.metrics.get(self.run.sweep.metric))} by {number}"

    def _next(self) -> list[str]:
        name = shlex.quote(self.run.name)
        commands = [*self._to_go_on(name), f"hpo best {name}", f"hpo trials {name}"]
        if self.best and self.best.trial:
            commands.append(f"hpo show {name}#{self.best.trial.number}")
        if self.best and not self.registered:
            commands.append(f"hpo register {name}")
        if self._complete() >= NEEDED:
            commands.append(f"hpo importance {name}")
        return commands

    def _complete(self) -> int:
        counts = self.fields["trials"]
        return int(counts.get("COMPLETE", 0)) if isinstance(counts, Mapping) else 0

    def _to_go_on(self, name: str) -> list[str]:
        """The command that goes on with a sweep which nobody drives and which has not ended."""
        return [f"hpo resume {name}{' --retry-failed' if _by_failures(self.run) else ''}"] if self.may_go_on else []


def _mirrors(store: Store, run: Run) -> list[dict[str, object]]:
    """Each server that is told of the sweep, with how much of it that server has and lacks."""
    if store.outbox is None:
        return []
    return [{"mirror": mirror, **vars(standing_of(store, mirror, run.id))} for mirror in mirrors_in(run.tags)]


def _mirror_text(mirror: dict[str, object]) -> str:
    return f"{mirror['mirror']}: {mirror['sent']} sent, {mirror['pending']} pending"


def _by_failures(run: Run) -> bool:
    """Whether the sweep ended because too many trials failed."""
    return run.status is Status.FAILED and run.tags.get(STOPPED_TAG) == Stop.FAILURES


def settings(config: str) -> dict[str, object] | None:
    """The sweep file as recorded; None where that is no JSON object."""
    try:
        loaded = json.loads(config)
    except ValueError:
        return None
    return {key: value for key, value in loaded.items() if key != "file"} if isinstance(loaded, dict) else None


def _setting(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _version_text(version: dict[str, object]) -> str:
    aliases = version["aliases"]
    pointed = f" ({cell(aliases)})" if aliases else ""
    return f"{version['name']} version {version['version']}{pointed}, trial {cell(version['trial'])}"


def _is_of(version: ModelVersion, sweep: Run, tracker: Tracker) -> bool:
    """Whether a version came from this sweep: by our tag, else by its run's parent."""
    if SWEEP_TAG in version.tags or version.run_id is None:
        return version.tags.get(SWEEP_TAG) == sweep.id
    try:
        return tracker.get(version.run_id).parent_id == sweep.id
    except NotFound:
        return False


def is_sweep(tracker: Tracker, run: Run) -> bool:
    """Whether a run is a sweep of ours or the parent of another run; a trial's children are re-runs of it."""
    return run.sweep is not None or (run.trial is None and bool(tracker.find(Query(parent=run.id, limit=1))))
