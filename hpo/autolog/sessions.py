"""Which trials want their fits to be logged, by thread; and the fits of scikit-learn's estimators that tell them.

`fit` of every estimator class is wrapped while at least one trial wants it, and is what it was before afterwards. A fit
inside of another one (a step of a pipeline, a fold of a search) is part of it and not told. Fits in other threads and
processes than the trial's own are not seen.
"""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator

Given = Callable[[], Mapping[str, object]]
"""What `fit` was called with, by name."""
Told = Callable[[object, Given], None]
"""Is told the fitted estimator, and what `fit` was called with."""

AnyFit = Callable[..., Any]


class _Session:
    """A trial that wants to be told of its fits."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._is_inside = False

    def run(self, original: AnyFit, estimator: object, args: tuple[object, ...], named: dict[str, object]) -> object:
        if self._is_inside:
            return original(estimator, *args, **named)
        self._is_inside = True
        try:
            fitted = original(estimator, *args, **named)
            self._told(estimator, lambda: _given(original, estimator, args, named))
        finally:
            self._is_inside = False
        return fitted


_sessions: dict[int, _Session] = {}
_lock = threading.RLock()  # a class may come into being while the lock is held
_wrapped: list[tuple[type, AnyFit]] = []
_own_hook: Any = BaseEstimator.__dict__.get("__init_subclass__")
_count = 0


@contextmanager
def telling(told: Told) -> Iterator[None]:
    """Inside the block `told` is called after each outermost fit of this thread; what it raises passes through."""
    thread = threading.get_ident()
    before = _sessions.get(thread)
    _enter()
    _sessions[thread] = _Session(told)
    try:
        yield
    finally:
        if before is None:
            _sessions.pop(thread, None)
        else:
            _sessions[thread] = before  # a sweep inside of a trial
        _leave()


def _given(
    original: AnyFit, estimator: object, args: tuple[object, ...], named: dict[str, object]
) -> Mapping[str, object]:
    bound = inspect.signature(original).bind(estimator, *args, **named).arguments
    return dict(list(bound.items())[1:])


def _run(original: AnyFit, estimator: object, args: tuple[object, ...], named: dict[str, object]) -> object:
    session = _sessions.get(threading.get_ident())
    if session is None:
        return original(estimator, *args, **named)
    return session.run(original, estimator, args, named)


def _enter() -> None:
    global _count
    with _lock:
        _count += 1
        if _count > 1:
            return
        for kind in _kinds(BaseEstimator):
            _wrap(kind)
        # of classes that are made, or imported, later
        BaseEstimator.__init_subclass__ = classmethod(_init_subclass)


def _leave() -> None:
    global _count
    with _lock:
        _count -= 1
        if _count:
            return
        if _own_hook is None:
            del BaseEstimator.__init_subclass__
        else:
            BaseEstimator.__init_subclass__ = _own_hook
        for kind, wrapper in _wrapped:
            if kind.__dict__.get("fit") is wrapper:  # else somebody wrapped it again, and ours does nothing any more
                kind.fit = wrapper.__wrapped__  # type: ignore[attr-defined]
        _wrapped.clear()


def _init_subclass(kind: type[Any], /, **named: object) -> None:
    if _own_hook is None:
        super(BaseEstimator, kind).__init_subclass__(**named)
    else:
        _own_hook.__get__(None, kind)(**named)
    with _lock:
        if _count:
            _wrap(kind)


def _kinds(kind: type) -> Iterator[type]:
    waiting: list[type] = [kind]
    seen = {kind}
    while waiting:
        found: list[type] = type.__subclasses__(waiting.pop())
        for below in found:
            if below not in seen:
                seen.add(below)
                waiting.append(below)
                yield below


def _wrap(kind: type) -> None:
    original = kind.__dict__.get("fit")
    if not inspect.isfunction(original):  # inherited, or there for some parameters only
        return

    # named as what it stands for, and with its signature: estimators are asked for it, and pickled with it
    @functools.wraps(original)
    def fit(self: object, *args: object, **named: object) -> object:
        return _run(original, self, args, named)

    kind.fit = fit  # type: ignore[attr-defined]
    _wrapped.append((kind, fit))
