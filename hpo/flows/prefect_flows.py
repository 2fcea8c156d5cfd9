"""The flows and their tasks: the one file that knows Prefect."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, get_type_hints

from pydantic import Field

from hpo.errors import EngineError, HpoError, NothingFound, TooManyFailures
from hpo.flows import steps
from hpo.flows.naming import artifact_key, literally, name_from
from hpo.flows.passing import is_passing
from hpo.flows.run_log import Log
from hpo.flows.steps import NotRegistered, Request, Summary, SweepStopped
from trackers.errors import TrackerError

try:
    from prefect import flow, get_run_logger, task
    from prefect.artifacts import create_markdown_artifact
    from prefect.cache_policies import NO_CACHE
    from prefect.exceptions import CancelledRun
    from prefect.runtime import flow_run
    from prefect.states import Cancelled
except ImportError as error:
    raise EngineError("flows need Prefect; install it with: pip install 'tracked-hpo[prefect]'") from error

File = Annotated[str, Field(description="The sweep file.")]
Files = Annotated[list[str], Field(min_length=1, description="Sweep files, in the order they are to run in.")]
Overrides = Annotated[list[str] | None, Field(description="Changes of the file, such as budget.n_trials=10.")]
Tracker = Annotated[str | None, Field(description="The store; else as for `hpo run`. Prefect shows this to everybody.")]
Name = Annotated[str | None, Field(description="The sweep's name; {name}-{date} makes a sweep of each scheduled run.")]
Preprocess = Annotated[str | None, Field(description="module:function, called before the sweeps.")]
Options = Annotated[dict[str, Any] | None, Field(description="What that function is called with.")]
PromoteTo = Annotated[str | None, Field(description="An alias that then points to what was registered.")]
Required = Annotated[bool, Field(description="Whether it is a failure where nothing is registered.")]
Retries = Annotated[int, Field(ge=0, description="How often a step is run again after an error that passes.")]
Delay = Annotated[float, Field(ge=0, description="Seconds between two tries.")]


def _is_retried(_task: object, _run: object, state: Any) -> bool:
    return isinstance(state.data, BaseException) and is_passing(state.data)


def _task(name: str, function: Callable[..., object]) -> Any:
    """A task whose result is kept nowhere: the store knows what was done, and a retry asks it."""
    return task(function, name=name, cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_is_retried)


def _flow(name: str, function: Callable[..., object], **options: object) -> Any:
    """A flow whose page describes its parameters; Prefect reads that from docstrings of Google's kind alone."""
    hints = get_type_hints(function, include_extras=True)
    told = [f"    {key}: {hint.__metadata__[0].description}" for key, hint in hints.items() if key != "return"]
    function.__doc__ = "\n".join([f"{inspect.getdoc(function)}\n", "Args:", *told])
    return flow(function, name=name, persist_result=False, **options)


def _log() -> Log:
    log: Log = get_run_logger()
    return log


def _scheduled() -> datetime:
    """When the flow run was to start, which no retry of it changes."""
    moment: datetime = flow_run.scheduled_start_time
    return moment


def _run_name() -> str:
    """The sweep's name, for the flow run; the file where it cannot be read, which the flow itself says then."""
    given: Mapping[str, Any] = flow_run.parameters
    request = Request(given["file"], given.get("overrides") or (), given.get("tracker"))
    try:
        return steps.named(request, request.checked(), given.get("name"), _scheduled())[1]
    except (HpoError, TrackerError, OSError):
        return request.file


def _preprocess(entry: str, options: Mapping[str, object], folders: Sequence[str]) -> None:
    steps.preprocess(entry, options, folders, _log())


def _search(request: Request) -> Summary:
    return steps.search(request, _log())


def _register(request: Request, *, is_required: bool) -> Summary:
    return steps.register(request, _log(), is_required=is_required)


def _promote(request: Request, name: str, version: int, alias: str) -> None:
    steps.promote(request, name, version, alias, _log())


def _report(request: Request, sweep: str, key: str) -> None:
    create_markdown_artifact(steps.report(request, sweep), key=key, description=f"sweep {sweep}")


preprocess_task = _task("preprocess", _preprocess)
search_task = _task("search", _search)
register_task = _task("register", _register)
promote_task = _task("promote", _promote)
report_task = _task("report", _report)


def _sweep(
    file: File,
    overrides: Overrides = None,
    tracker: Tracker = None,
    name: Name = None,
    promote_to: PromoteTo = None,
    require_register: Required = False,
    retries: Retries = 5,
    retry_delay: Delay = 60.0,
) -> Any:
    """Runs a sweep file: search, register as its gates say, promote. Run again, it goes on where it was.

    The answer says what came of it: sweep, run id, best trial and value, what was registered or why nothing was.
    """
    again = {"retries": retries, "retry_delay_seconds": retry_delay}
    request = Request(file, overrides or (), tracker)
    steps.warn_of_password(tracker, _log())
    config = steps.check(request, registers=require_register or promote_to is not None)
    key = artifact_key(config.name)
    request, sweep = steps.named(request, config, name, _scheduled())
    reported = report_task.with_options(**again)
    found: Summary
    try:
        found = search_task.with_options(**again)(request)
        if config.registration is not None:
            found = register_task.with_options(**again)(request, is_required=require_register)
    except SweepStopped as stopped:
        return Cancelled(message=str(stopped))
    except (NothingFound, TooManyFailures, NotRegistered):
        reported(request, sweep, key, return_state=True)
        raise
    version = found["registered"]
    if promote_to is not None and isinstance(version, Mapping):
        promote_task.with_options(**again)(request, version["name"], version["version"], promote_to)
        found = {**found, "promoted_to": promote_to}
    reported(request, sweep, key, return_state=True)  # a report that fails is no failure of the sweep
    return found


sweep_flow = _flow("sweep", _sweep, flow_run_name=_run_name)


def _pipeline(
    files: Files,
    overrides: Overrides = None,
    tracker: Tracker = None,
    name: Name = None,
    preprocess: Preprocess = None,
    preprocess_options: Options = None,
    promote_to: PromoteTo = None,
    require_register: Required = False,
    retries: Retries = 5,
    retry_delay: Delay = 60.0,
) -> Any:
    """Checks all sweep files, calls the function that prepares their data, then runs each file as a flow of its own.

    The first sweep that fails ends it. The answer has one summary a file, in their order.
    """
    registers, when = require_register or promote_to is not None, _scheduled()
    configs = [steps.check(Request(file, overrides or (), tracker), registers=registers) for file in files]
    names = [name_from(name, config.name, when) if name else config.name for config in configs]
    if preprocess is not None:
        prepare = preprocess_task.with_options(retries=retries, retry_delay_seconds=retry_delay)
        prepare(preprocess, preprocess_options or {}, steps.folders_of(files))
    rest = (promote_to, require_register, retries, retry_delay)
    try:
        return [
            sweep_flow(file, overrides, tracker, literally(sweep) if name else None, *rest)
            for file, sweep in zip(files, names, strict=True)
        ]
    except CancelledRun as stopped:
        return Cancelled(message=str(stopped))


pipeline_flow = _flow("pipeline", _pipeline)
