"""Forks dask clusters and their slot hosts from a process that has everything imported: they start in milliseconds.

For each connection to its socket it takes two descriptors (stdin and stdout) and a line of JSON, `{"be": "cluster" or
"slot_host", "environment", "path", ..}`, and answers with the exit code. What it forks are processes and sessions of
their own. It ends when its stdin does.
"""

import json
import os
import select
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

WANTED = (
    "email.policy",
    "forked_child",
    "importlib.metadata",
    "joblib.externals.loky.backend.popen_loky_posix",
    "distributed.deploy.local",
    "hpo.executors.remote.pilot",
    "hpo.executors.remote.slot_host",
)
"""What clusters and slot hosts import sooner or later."""


def cluster(settings: Mapping[str, object], place: str) -> None:
    """A scheduler with workers of one thread each, in this process; says its address, and ends when its stdin does."""
    import dask
    import distributed

    from hpo.executors.remote import pilot

    dask.config.refresh()  # it may be in the environment
    pilot._slot_host = partial(forked_slot_host, place)
    with distributed.LocalCluster(
        n_workers=settings["workers"],
        threads_per_worker=1,
        processes=False,
        protocol=settings["protocol"],
        host="127.0.0.1",
        scheduler_port=settings["port"],
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=None,
        silence_logs="CRITICAL",
        resources=settings["resources"],
    ) as made:
        print(made.scheduler_address, flush=True)
        sys.stdin.read()
        os._exit(0)


def slot_host(settings: Mapping[str, object], place: str) -> None:
    from multiprocessing import util

    from hpo.executors.remote.slot_host import main

    try:
        main()
    finally:
        util._exit_function()  # type: ignore[attr-defined]  # what an interpreter runs when it ends, and forks do not


KINDS: Mapping[str, Callable[[Mapping[str, object], str], None]] = {"cluster": cluster, "slot_host": slot_host}


def forked_slot_host(place: str, errand: str) -> tuple[int, str]:
    """In place of pilot._slot_host, which starts an interpreter: exit code and last words of a slot host."""
    facts = {
        "be": "slot_host",
        "environment": dict(os.environ),
        "path": [str(Path(each).absolute()) for each in sys.path],
    }
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    with socket.socket(socket.AF_UNIX) as line, os.fdopen(ours_in, "wb") as stdin, os.fdopen(ours_out, "rb") as stdout:
        line.connect(place)
        ask(line, facts, (theirs_in, theirs_out))
        stdin.write(errand.encode() + b"\n")
        stdin.flush()
        text = stdout.read(10_000).decode("utf-8", "replace").strip()
        with line.makefile() as answer:
            return int(answer.readline()), text


def ask(line: socket.socket, facts: Mapping[str, object], descriptors: tuple[int, int]) -> None:
    """Sends a request; the descriptors are the other side's from then on."""
    socket.send_fds(line, [b"!"], descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    line.sendall(f"{json.dumps(facts)}\n".encode())


def serve(line: socket.socket, place: str) -> None:
    """Forks what is asked for, and says how it ended."""
    _, descriptors, _, _ = socket.recv_fds(line, 1, 2)
    with line.makefile() as request:
        settings = json.loads(request.readline())
    child = os.fork()
    if child == 0:
        line.close()
        _end_with(settings, descriptors, place)
    for descriptor in descriptors:
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _end_with(settings: Mapping[str, object], descriptors: list[int], place: str) -> None:
    from forked_child import ends_with

    ends_with(lambda: _be(settings, descriptors, place))


def _be(settings: Mapping[str, object], descriptors: list[int], place: str) -> None:
    os.setsid()
    os.chdir(os.sep)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # what stood there has read to its end
    os.environ.clear()
    os.environ.update(settings["environment"])  # type: ignore[call-overload]  # from JSON
    sys.path[:] = settings["path"]  # type: ignore[assignment]  # from JSON
    KINDS[str(settings["be"])](settings, place)


def warm_up() -> None:
    for name in WANTED:
        import_module(name)
    from joblib.externals.loky.backend import resource_tracker

    resource_tracker.ensure_running()  # a process that all forks share


def main(place: str) -> None:
    warm_up()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in readable:
                os._exit(0)
            line, _ = listener.accept()
            grandparent = os.fork()
            if grandparent == 0:
                listener.close()
                if os.fork() == 0:  # nobody's child, for nobody here has time to bury it
                    try:
                        serve(line, place)
                    finally:
                        os._exit(0)
                os._exit(0)
            line.close()
            os.waitpid(grandparent, 0)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))
    main(sys.argv[1])
