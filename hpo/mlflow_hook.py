"""Puts our word into MLflow where it is imported: which run `mlflow.start_run()` resumes, and when a database is ready.

Two public functions of two of its modules are wrapped as these are imported: `mlflow.tracking.fluent.start_run`, and
`mlflow.store.db.utils.create_sqlalchemy_engine`, whose module is imported when a database is opened for the first time.
"""

import functools
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

from trackers.garbage import MLFLOW_TAG

_URI, _RUN_ID = "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"
_FLUENT, _DATABASES = "mlflow.tracking.fluent", "mlflow.store.db.utils"


@dataclass
class Resumable:
    """The run of a trial that is running in this process, in the database at `uri`."""

    run_id: str
    uri: str
    was_resumed: bool = False


class _Running:
    """The trials that run in this process, by thread; several only where trials run in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_thread: dict[int, Resumable] = {}
        self._before: str | None = None

    def begin(self, mine: Resumable) -> None:
        with self._lock:
            if not self._of_thread:
                self._before = os.environ.get(_URI)
                os.environ[_URI] = mine.uri
            self._of_thread[threading.get_ident()] = mine

    def end(self) -> None:
        with self._lock:
            mine = self._of_thread.pop(threading.get_ident())
            if self._of_thread or os.environ.get(_URI) != mine.uri:
                return
            _restore(self._before)

    def current(self) -> Resumable | None:
        """The trial of this thread; in a thread that a trial started, the only one there is."""
        with self._lock:
            mine = self._of_thread.get(threading.get_ident())
            only = next(iter(self._of_thread.values())) if len(self._of_thread) == 1 else None
            return mine or only


_running = _Running()
_ready: set[str] = set()
_ready_lock = threading.Lock()


def is_installed() -> bool:
    """Whether MLflow could be imported here."""
    return importlib.util.find_spec("mlflow") is not None


def is_imported() -> bool:
    """Whether MLflow is ready to log in this process."""
    return _FLUENT in sys.modules


def await_mlflow() -> None:
    """From now on MLflow knows of trials, whether it is imported already or later; safe to call twice."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name, change in _CHANGES.items():
        module = sys.modules.get(name)
        if module is not None and not getattr(getattr(module.__spec__, "loader", None), "is_at_work", False):
            change(module)


def make_ready_if_imported(uri: str) -> None:
    """Upgrades the database now where MLflow is there to use it, and not in the time of the first trial that does.

    What `upgrade_store` raises.
    """
    mlflow = sys.modules.get("mlflow")
    if mlflow is None or not is_imported():
        return
    before = os.environ.get(_URI)
    os.environ[_URI] = uri  # as it will be in trials
    try:
        is_meant = _is_same(mlflow.get_tracking_uri(), uri)
    finally:
        _restore(before)
    if is_meant:
        _make_ready(uri)


def _restore(uri: str | None) -> None:
    if uri is None:
        os.environ.pop(_URI, None)
    else:
        os.environ[_URI] = uri


@contextmanager
def of_trial(mine: Resumable) -> Iterator[Callable[[str], str]]:
    """The trial runs inside the block. Yields what ends the MLflow runs that it leaves open; '' or what went wrong."""
    _running.begin(mine)
    fluent = sys.modules.get(_FLUENT)
    before = fluent.active_run() if fluent else None
    try:
        yield lambda status: _leave(before, status, mine)
    finally:
        _leave(before, "FAILED", mine)
        _running.end()


def _leave(before: object, status: str, mine: Resumable) -> str:
    fluent = sys.modules.get(_FLUENT)
    if fluent is None:
        return ""
    problem = ""
    while (active := fluent.active_run()) is not None and active is not before:
        try:
            fluent.end_run(status)
        except Exception as error:  # the run is off MLflow's list all the same, so this ends
            problem = f"{type(error).__name__}: {error}"
    if mine.was_resumed:
        try:
            fluent.flush_async_logging()
        except Exception as error:
            problem = problem or f"{type(error).__name__}: {error}"
    return problem


def _wrap_start_run(fluent: ModuleType) -> None:
    original = fluent.start_run
    if hasattr(original, "of_trials"):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def start_run(*args: object, **named: object) -> object:
        given = signature.bind_partial(*args, **named).arguments
        mine = None if given.get("run_id") else _to_resume(fluent)
        if mine is None:
            return original(*args, **named)
        _make_ready(mine.uri)
        own = given.get("tags")
        tags = {**(own if isinstance(own, Mapping) else {}), MLFLOW_TAG: sys.modules["mlflow"].__version__}
        # the run keeps its name, and no other experiment or parent can be meant for a run that exists
        unwanted = ("run_name", "experiment_id", "parent_run_id", "nested")
        kept = {name: value for name, value in given.items() if name not in unwanted}
        resumed = original(**{**kept, "run_id": mine.run_id, "tags": tags})
        mine.was_resumed = True
        return resumed

    start_run.of_trials = True  # type: ignore[attr-defined]
    fluent.start_run = start_run  # type: ignore[attr-defined]
    package = sys.modules.get("mlflow")
    if getattr(package, "start_run", None) is original:
        setattr(package, "start_run", start_run)  # noqa: B010  # it is not ours to know the type of


def _to_resume(fluent: ModuleType) -> Resumable | None:
    """The trial whose run is meant; None where code has chosen another run, server or experiment."""
    mine = _running.current()
    if mine is None or os.environ.get(_RUN_ID) or fluent.active_run() is not None:
        return None
    mlflow = sys.modules["mlflow"]
    if not _is_same(mlflow.get_tracking_uri(), mine.uri):
        return None
    chosen = getattr(fluent, "_active_experiment_id", None)
    if chosen is not None and mlflow.MlflowClient().get_run(mine.run_id).info.experiment_id != chosen:
        return None
    return mine


def _is_same(one: str, other: str) -> bool:
    """Whether two URIs name the same database; a file may be named from the current folder."""
    return one == other or (_file_of(one) == _file_of(other) != "")


def _file_of(uri: str) -> str:
    scheme, _, path = uri.partition(":///")
    return os.path.realpath(os.path.expanduser(path)) if scheme.startswith("sqlite") else ""  # noqa: PTH111


def _wrap_engines(utils: ModuleType) -> None:
    original = utils.create_sqlalchemy_engine
    if hasattr(original, "of_trials"):
        return

    @functools.wraps(original)
    def create_sqlalchemy_engine(db_uri: str, *args: object, **named: object) -> object:
        mine = _running.current()
        if mine is None or not _is_same(db_uri, mine.uri):
            return original(db_uri, *args, **named)
        _make_ready(mine.uri)
        engine = original(db_uri, *args, **named)
        _lock_writes(engine, mine.uri)
        return engine

    create_sqlalchemy_engine.of_trials = True  # type: ignore[attr-defined]
    utils.create_sqlalchemy_engine = create_sqlalchemy_engine  # type: ignore[attr-defined]


def _make_ready(uri: str) -> None:
    """Upgrades the database before MLflow opens it, once: several MLflows that do it at once break each other."""
    with _ready_lock:
        if uri in _ready:
            return
        from trackers.upgrade import upgrade_store
        from trackers.upgraded import Backup

        upgrade_store(uri, backup=Backup.IF_POSSIBLE)
        _ready.add(uri)


def _lock_writes(engine: Any, uri: str) -> None:
    path = _file_of(uri)
    if path:
        from trackers.sql.foreign_writes import lock_writes

        lock_writes(engine, path)


_CHANGES: Mapping[str, Callable[[ModuleType], None]] = {_FLUENT: _wrap_start_run, _DATABASES: _wrap_engines}


class _Finder(MetaPathFinder):
    """Finds the modules that are to be changed, as Python does, and changes each once it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = _CHANGES.get(name)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Changing(spec.loader, change)
        return spec


class _Changing(Loader):
    """Loads a module, then changes it."""

    def __init__(self, loader: Loader, change: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._change = change
        self.is_at_work = True

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)
        self.is_at_work = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)
