"""The steps of a flow as plain functions; each may be called again after whatever happened, and goes on from there."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from hpo.budget import Stop
from hpo.config.schema import SweepConfig
from hpo.driver import login_name
from hpo.errors import ConfigError, HpoError, NothingFound, TooManyFailures
from hpo.flows.guarded import guarded
from hpo.flows.naming import name_from, named_overrides
from hpo.flows.run_log import Log, RunLog, forwarded, say
from hpo.interruption import Interruption
from hpo.masking import hide_patterns
from hpo.meaning import config_meant
from hpo.objectives.python_objective import function_named
from hpo.result import SweepResult
from hpo.search import run
from hpo.version_object import version_object
from hpo.winner import REGISTERED_TAG
from trackers.opening import open_store
from trackers.records import ModelVersion

Summary = Mapping[str, object]
"""What came of a sweep, as JSON values: `sweep`, `run_id`, `trials` by state, `metric`, `goal`, `best_trial`,
`best_value`, `best_params` (null where several metrics leave no single best), `registered` (`name`, `version`,
`aliases`) or `not_registered`, and `promoted_to`."""


class SweepStopped(HpoError):
    """A sweep was asked to end before its budget was used up; nothing on record is lost."""


class NotRegistered(HpoError):
    """Nothing was registered though that was required; the message says which gate refused, and by how much."""


@dataclass(frozen=True)
class Request:
    """Which sweep file is meant, with what changes, in which store; as for `hpo.run`."""

    file: str
    overrides: Sequence[str] = ()
    tracker: str | None = None

    def checked(self) -> SweepConfig:
        """The file's configuration; ConfigError with all its mistakes. Nothing that it names is imported."""
        return config_meant(self.file, None, self.overrides, self.tracker)[0]

    @property
    def uri(self) -> str:
        """The store."""
        return config_meant(self.file, None, self.overrides, self.tracker)[1]


def check(request: Request, *, registers: bool = False) -> SweepConfig:
    """The configuration, before anything is run. `registers`: what is asked for takes a winner that is registered."""
    config = request.checked()
    if registers and config.registration is None:
        raise ConfigError(
            f"{request.file} has no register: section, so nothing can be registered or promoted; nothing was run"
        )
    return config


def warn_of_password(tracker: str | None, log: Log) -> None:
    """Says what becomes of a store's address that holds a password."""
    if tracker is not None and hide_patterns(tracker) != tracker:
        say(
            log,
            logging.WARNING,
            "the password in `tracker` is kept and shown by Prefect; give it in HPO_TRACKER instead",
        )


def named(request: Request, config: SweepConfig, template: str | None, when: datetime) -> tuple[Request, str]:
    """The request for a sweep of the name that a template gives, and that name; the file's own without a template."""
    if template is None:
        return request, config.name
    name = name_from(template, config.name, when)
    return replace(request, overrides=[*request.overrides, *named_overrides(config, name)]), name


def preprocess(entry: str, options: Mapping[str, object], folders: Sequence[str], log: Log) -> None:
    """Calls the user's function, named `module:function`, with these keyword arguments; found from these folders."""
    with forwarded(log):
        function_named(entry, folders, takes=", ".join(options), key="preprocess")(**options)


def search(request: Request, log: Log) -> Summary:
    """Runs the sweep, or goes on with it; nothing is registered.

    Raises what `hpo.run` raises, and what the exit codes 1, 3 and 130 of `hpo run` say: NothingFound, TooManyFailures,
    SweepStopped. An exception that a signal raises here is raised once the sweep has ended with care.
    """
    result = _driven(request, log, registers=False)
    if Stop.FAILURES in (result.stop, result.stopped_before):
        failed = result.counts().get("FAILED", 0)
        raise TooManyFailures(f"sweep {result.name} was stopped: {failed} trials failed; see: hpo trials {result.name}")
    if not result.best_runs(1):
        raise NothingFound(f"{result.why_none} in sweep {result.name}; see: hpo trials {result.name}")
    found = _summary(result)
    say(log, logging.INFO, _reached(result, found))
    return found


def register(request: Request, log: Log, *, is_required: bool = False) -> Summary:
    """Asks the gates of the file, and registers the winner if they let it pass; once done, says what was registered.

    NotRegistered where nothing was and `is_required`.
    """
    result = _driven(request, log, registers=True)
    version = _registered(result)
    if version is None:
        say(log, logging.WARNING, f"not registered: {result.not_registered}")
    else:
        say(log, logging.INFO, f"registered {version.name} version {version.version}")
    if version is None and is_required:
        raise NotRegistered(f"sweep {result.name}: {result.not_registered}")
    return {
        **_summary(result),
        "registered": version_object(version),
        "not_registered": None if version else result.not_registered,
    }


def promote(request: Request, name: str, version: int, alias: str, log: Log) -> None:
    """Points an alias at a version, as `hpo promote` does: its files are verified first."""
    from hpo.alias_moves import Moves
    from hpo.mirrors.by_hand import send_model
    from trackers.artifacts import ArtifactFolder

    with forwarded(log), open_store(request.uri) as store:
        why = f"promoted by the flow of {request.file}"
        verify = ArtifactFolder().verify
        moved = Moves(store.tracker, store.registry, verify, name, login_name(), why).point(alias, version)
        say(log, logging.INFO, f"{name}: {alias} points to version {moved.after}, before to {moved.before or 'none'}")
        send_model(store, name, os.environ)


def report(request: Request, sweep: str) -> str:
    """The sweep as Markdown, as `hpo report` writes it, without pictures."""
    from hpo.naming import find_sweep
    from hpo.report.answers import page_of
    from hpo.report.markdown_report import markdown_report
    from hpo.views.commands import Commands

    uri = request.uri
    with open_store(uri, read_only=True) as store:
        page = page_of(store, find_sweep(store.tracker, sweep))
        return markdown_report(store, page, (), now=int(time.time() * 1000), commands=Commands(uri, os.environ))


def folders_of(files: Sequence[str]) -> list[str]:
    """Where the user's functions are looked for: beside the sweep files, and in the current folder."""
    return list(dict.fromkeys([*(str(Path(file).parent) for file in files), "."]))


def _driven(request: Request, log: Log, *, registers: bool) -> SweepResult:
    config, interruption = request.checked(), Interruption()
    metric, *others = config.goals

    def drive() -> SweepResult:
        return run(
            request.file,
            overrides=request.overrides,
            tracker=request.tracker,
            register=registers,
            watcher=RunLog(log, config.name, metric, others),
            interruption=interruption,
        )

    with forwarded(log):
        result = guarded(drive, interruption)
    if result.stop is Stop.INTERRUPTED:
        raise SweepStopped(
            f"sweep {config.name} was asked to stop; nothing on record is lost, run it again to go on with it"
        )
    return result


def _reached(result: SweepResult, found: Summary) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in result.counts().items() if count)
    if found["best_value"] is None:
        return f"sweep {result.name}: {counts}"
    return (
        f"sweep {result.name}: {counts}; best {result.metric} {found['best_value']:.6g} by trial {found['best_trial']}"
    )


def _summary(result: SweepResult) -> Summary:
    best = None if result.others else result.best_runs(1)[0]
    return {
        "sweep": result.name,
        "run_id": result.run_id,
        "trials": dict(result.counts()),
        "metric": result.metric,
        "goal": result.goal.value,
        "best_trial": best.trial.number if best and best.trial else None,
        "best_value": best.metrics[result.metric] if best else None,
        "best_params": dict((best.trial or best).params) if best else None,
        "registered": None,
        "not_registered": None,
        "promoted_to": None,
    }


def _registered(result: SweepResult) -> ModelVersion | None:
    """What stands registered of the sweep: by this call, or by an earlier one that ended before it could say so."""
    if result.registered or not result.stands:
        return result.registered
    with open_store(result.uri, read_only=True) as store:
        said = store.tracker.get(result.run_id).tags.get(REGISTERED_TAG, "")
        name, _, number = said.rpartition(" version ")
        return store.registry.get(name, number)
