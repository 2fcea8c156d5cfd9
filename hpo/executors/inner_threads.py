"""Limits how many threads BLAS and OpenMP use inside one slot."""

import sys
import threading
from contextlib import ExitStack

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types


class InnerThreads:
    """Applies the limit to libraries that are loaded already.

    BLAS has one limit for the process, which the first thread to set it owns; OpenMP has one for each thread. A library
    that is imported later knows nothing of an earlier call, so both methods are called before every trial, and look for
    libraries only where modules were imported since.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._seen = threading.local()
        self._limits = ExitStack()

    def apply(self) -> None:
        """Limits all libraries; for the thread that makes and closes the executor."""
        if self._is_due():
            self._limits.enter_context(threadpool_limits(limits=self._limit))

    def apply_in_slot(self) -> None:
        """Limits OpenMP in the calling thread, which is another one."""
        if self._is_due():
            threadpool_limits(limits=self._limit, user_api="openmp")

    def restore(self) -> None:
        """Takes back what `apply` did, in the thread that called it."""
        self._limits.close()
        self._seen = threading.local()

    def _is_due(self) -> bool:
        modules = len(sys.modules)
        if self._limit is None or getattr(self._seen, "modules", 0) == modules:
            return False
        self._seen.modules = modules
        return True
