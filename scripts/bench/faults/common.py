"""What the fault scripts share: a child process that is killed at a barrier, and one line a case."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")
SECONDS = 120.0


def child(code: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Python code as a process in the folder; what it prints is dropped."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def killed_at(code: str, folder: Path, barrier: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Runs code until it has made the file `barrier`, then sends the signal and waits for the end."""
    process = child(code, folder)
    deadline = time.monotonic() + SECONDS
    while not (folder / barrier).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the child ended with {process.poll()} before it made {barrier}")
        time.sleep(0.01)
    process.send_signal(number)
    process.wait()


def error_of(call: Callable[[], object]) -> str:
    """The name of what a call raises, or what it returns."""
    try:
        return repr(call())
    except BaseException as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:70] if str(error) else ''}"


def run(cases: dict[str, Callable[[Path], str]]) -> None:
    """Each case in a folder of its own: `name<tab>what happened`."""
    for name, case in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name}\t{case(Path(folder))}", flush=True)
