"""Makes a worker process die when its driver does, however that happens."""

import ctypes
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Lifeline:
    """What a worker needs to know of its driver; `pipe` is None where the kernel can tell it of the driver's death."""

    driver: int
    pipe: Connection | None

    def hold(self) -> None:
        """Ties the calling (worker) process to the driver: SIGKILL when the driver is gone."""
        if self.pipe is None:
            _ask_the_kernel(self.driver)
        else:
            threading.Thread(target=_watch, args=(self.pipe,), name="hpo-lifeline", daemon=True).start()


def lifeline(*, by_kernel: bool = sys.platform == "linux") -> tuple[Lifeline, Connection | None]:
    """A lifeline to hand to workers, and the end that the driver has to keep open as long as they shall live.

    The kernel's way follows the *thread* that starts the worker, so that thread must live as long as the driver.
    """
    if by_kernel:
        return Lifeline(os.getpid(), None), None
    for_workers, for_driver = Pipe(duplex=False)
    return Lifeline(os.getpid(), for_workers), for_driver


def _ask_the_kernel(driver: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != driver:  # it died before we asked
        os._exit(1)


def _watch(pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        pipe.recv_bytes()  # nothing is ever sent: this ends when the driver's end is closed
    os.kill(os.getpid(), signal.SIGKILL)
