"""What a cluster runs: it starts a slot host in an interpreter of its own, and another one when that one goes.

An own interpreter, since the processes of clusters are no good place for workers: some may have no children, others
have their own ideas of signals. It dies with the pilot, whose end of its stdin is then closed.
"""

import json
import os
import socket
import subprocess
import sys
import time

from hpo.executors.remote.placement import ENDED, LOST, REFUSED, UNREACHABLE, PilotReport

EXIT_KINDS = {0: ENDED, 3: REFUSED, 4: UNREACHABLE}
"""What an exit code of a slot host means for the pilot; all others mean that it lost its driver, or its life."""

QUICK = 20.0
"""Seconds: a slot host that goes sooner than that may never have worked."""

TRIES = 5
"""Slot hosts in a row that went so soon."""

_START = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from hpo.executors.remote.slot_host import main; main()"
)


def run(errand: str) -> str:
    """Offers a slot until the driver has no more use for it, or is gone; a PilotReport as JSON."""
    quick = 0
    while True:
        began = time.monotonic()
        code, text = _slot_host(errand)
        if code in EXIT_KINDS:
            return PilotReport(EXIT_KINDS[code], text).json
        quick = quick + 1 if time.monotonic() - began < QUICK else 0
        if quick == TRIES:
            text = text or f"it ended with {code}"
            return PilotReport(LOST, f"host {socket.gethostname()}: no slot host stays alive: {text}").json
        time.sleep(quick * 0.2)


def _slot_host(errand: str) -> tuple[int, str]:
    """Its exit code, and what it had to say."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=os.sep,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    try:
        path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # '' is the current folder
        process.stdin.write(f"{json.dumps(path)}\n{errand}\n".encode())
        process.stdin.flush()
        text = process.stdout.read(10_000)
    except BrokenPipeError:
        text = process.stdout.read(10_000)
    except BaseException:
        process.kill()
        raise
    finally:
        code = process.wait()
        process.stdout.close()
        process.stdin.close()
    return code, text.decode("utf-8", "replace").strip()
