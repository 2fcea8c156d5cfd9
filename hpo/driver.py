"""Who drives a sweep: this process by pid, host and start time, and whether such a process still lives."""

import os
import socket

import psutil


def identity() -> str:
    """This process as `pid@host since start`; two processes never share it, even if a pid is used again."""
    return _identity(psutil.Process(os.getpid()))


def is_alive(driver: str) -> bool:
    """Whether the process of that identity runs on this host now; False for another host, where nobody can tell."""
    pid, _, rest = driver.partition("@")
    if not pid.isdigit() or rest.partition(" ")[0] != socket.gethostname():
        return False
    try:
        return _identity(psutil.Process(int(pid))) == driver
    except psutil.Error:
        return False


def _identity(process: psutil.Process) -> str:
    return f"{process.pid}@{socket.gethostname()} since {process.create_time():.2f}"
