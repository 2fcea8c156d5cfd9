"""Warnings of many fits as one log line each, in any number of threads."""

import logging
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_LOG = logging.getLogger(__name__)
_QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)

_lock = threading.Lock()
_users = 0
_outer: "warnings.catch_warnings[None] | None" = None  # generic in its stubs only
_mine = threading.local()


@contextmanager
def gathered_warnings(who: str) -> Iterator[None]:
    """Logs each different warning of the block once, with its count, when the block ends.

    Python's own `catch_warnings` changes the whole process, and threads that leave it in another order than they
    entered it leave their filters behind: so the first thread in changes it, and the last one out changes it back.
    """
    seen: Counter[str] = Counter()
    _mine.seen = seen
    _enter()
    try:
        yield
    finally:
        _leave()
        del _mine.seen
        for text, count in seen.items():
            times = f" ({count} times)" if count > 1 else ""
            _LOG.warning("%s: %s%s", who, text, times)


def _enter() -> None:
    global _users, _outer
    with _lock:
        if _users == 0:
            _outer = warnings.catch_warnings()
            _outer.__enter__()
            shown = warnings.showwarning
            warnings.simplefilter("always")
            for category in _QUIET:
                warnings.simplefilter("ignore", category)

            def show(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
                seen = getattr(_mine, "seen", None)
                if seen is None:  # a thread that has nothing to do with us
                    shown(message, category, *where, **more)  # type: ignore[arg-type]  # passed on as they came
                else:
                    seen[f"{category.__name__}: {' '.join(str(message).split())}"] += 1

            warnings.showwarning = show
        _users += 1


def _leave() -> None:
    global _users, _outer
    with _lock:
        _users -= 1
        if _users == 0 and _outer is not None:
            _outer.__exit__(None, None, None)
            _outer = None
