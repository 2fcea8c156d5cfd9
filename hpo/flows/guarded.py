"""Does work in a thread of its own, so that an exception that a signal raises never breaks it off halfway."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from hpo.interruption import GRACE, Interruption

Answer = TypeVar("Answer")

PATIENT_WITH = 2
"""Exceptions that only ask; after these the work is left to itself, and a process that ends takes it along."""


def guarded(work: Callable[[], Answer], interruption: Interruption) -> Answer:
    """What `work` returns or raises. Work that looks at the interruption is asked to end where an exception comes.

    Prefect raises one of its own into the main thread at SIGTERM and wants no other handler there; Ctrl-C raises
    KeyboardInterrupt. The exception is raised here once the work has ended with care; a second one leaves it no time.
    """
    future: Future[Answer] = Future()
    context = contextvars.copy_context()  # a trial of backend serial may ask for the flow's logger
    thread = threading.Thread(target=lambda: context.run(_do, work, future), name="hpo-flow", daemon=True)
    came: list[BaseException] = []
    thread.start()
    while True:
        try:
            future.exception()  # waits, and raises none of the work's own
            break
        except BaseException as error:
            came.append(error)
            if len(came) > PATIENT_WITH:
                raise
            interruption.ask(GRACE if len(came) == 1 else 0.0)
    if came:
        raise came[0]
    return future.result()


def _do(work: Callable[[], Answer], future: "Future[Answer]") -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
