"""What runs in the process of a placement: makes it, and does what its driver's lines say, until they end.

driver -> this   {"kind": "module:class", "settings": {..}, "folder": ..}, once;
                 {"errand": .., "count": 2}, when it likes
this -> driver   {"say": "made", "address": .., "why": ..} or {"say": "failed", "kind": .., "text": ..}, once;
                 {"say": "ended", "kind": .., "text": ..} for each pilot;
                 {"say": "gone", "text": ..} before it ends because the cluster is out of reach
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import IO

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.remote.placement import Placement
from hpo.failure_text import failure_line

LOOK = 0.2
"""Seconds between two looks at the pilots."""

LAST_SECONDS = 10.0
"""Seconds for letting the cluster go."""


class _Orders(SimpleQueue[dict[str, object] | None]):
    """What the driver wants; None, once there will be no more."""

    is_over = False


def main() -> None:
    """The whole life of the process."""
    answers = _own_stdout()
    orders = _Orders()
    order = json.loads(sys.stdin.buffer.readline())
    tempfile.tempdir = order["folder"]  # not in the environment, which trials may inherit
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    placement = _made(order, answers)
    if placement is not None:
        _serve(placement, orders, answers)
        _kill_myself_soon()
        with suppress(Exception):  # whatever stands in the way: the process ends, and all it holds
            placement.close()
    if orders.is_over:  # a driver that was killed does not clean up
        shutil.rmtree(order["folder"], ignore_errors=True)
    os._exit(0)  # no thread of a library may hold it up


def _own_stdout() -> IO[str]:
    """Nobody else may print to the driver."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _made(order: dict[str, object], answers: IO[str]) -> Placement | None:
    module, _, name = str(order["kind"]).partition(":")
    try:
        placement: Placement = getattr(import_module(module), name)(**order["settings"])  # type: ignore[arg-type]  # JSON
    except (ConfigError, ClusterUnavailable) as error:
        _say(answers, say="failed", kind=type(error).__name__, text=str(error))
        return None
    except Exception as error:
        _say(answers, say="failed", kind="ClusterUnavailable", text=failure_line(error))
        return None
    try:
        _say(answers, say="made", address=placement.address, why="")
    except ConfigError as error:  # the file may say it
        _say(answers, say="made", address="", why=str(error))
    return placement


def _serve(placement: Placement, orders: _Orders, answers: IO[str]) -> None:
    try:
        while True:
            with suppress(Empty):
                order = orders.get(timeout=LOOK)
                if order is None:
                    return
                placement.place(str(order["errand"]), int(str(order["count"])))
            for report in placement.ended():
                _say(answers, say="ended", kind=report.kind, text=report.text)
    except ClusterUnavailable as error:
        _say(answers, say="gone", text=str(error))


def _say(answers: IO[str], **facts: object) -> None:
    answers.write(f"{json.dumps(facts)}\n")
    answers.flush()


def _listen(orders: _Orders) -> None:
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    _kill_myself_soon()  # the driver is gone, or has done with this: also while a library does not answer
    orders.is_over = True
    orders.put(None)


def _kill_myself_soon() -> None:
    last = threading.Timer(LAST_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
    last.daemon = True
    last.start()
