"""A dask cluster on this machine for one driver, in a process of its own: Ctrl-C in a terminal does not reach it.

It says where it is on its stdout and ends when its stdin is closed, also by a driver that is killed. Its connections
are encrypted where the package cryptography is installed, so that other users of the machine cannot use it.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module

from hpo.errors import ClusterUnavailable
from hpo.scratch import new_scratch

_START = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from hpo.executors.remote.local_cluster import main; main()"
)

SECONDS = 120.0
"""Until the cluster has to be there; it takes 2 to 4 seconds where the machine is not busy."""

_CREDENTIALS = {"ca_file": "ca_file", "client_cert": "cert", "client_key": "key"}


class LocalDask:
    """Scheduler and `workers` worker processes on loopback; ClusterUnavailable where they do not start.

    `security` are the credentials of a client, as `distributed.Security` takes them; empty where nothing is encrypted.
    """

    def __init__(self, workers: int) -> None:
        self._folder = new_scratch()  # dask's own would stay behind
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        try:
            path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  # '' is the current folder
            wanted = {"workers": workers, "folder": str(self._folder)}
            self._process.stdin.write(f"{json.dumps(path)}\n{json.dumps(wanted)}\n".encode())
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
            said = json.loads(self._process.stdout.readline() if ready else b"")
        except (BrokenPipeError, ValueError) as error:
            self.close()
            raise ClusterUnavailable(
                f"a local dask cluster of {workers} workers did not start (exit {self._process.returncode})"
            ) from error
        except BaseException:
            self.close()
            raise
        self.address: str = said["address"]
        self.security: Mapping[str, str] = said["security"]

    def close(self) -> None:
        """Ends all its processes; safe to call twice."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # its workers hold nothing that is worth a farewell
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def main() -> None:
    """The cluster's own process."""
    dask = import_module("distributed")
    wanted = json.loads(sys.stdin.buffer.readline())
    import_module("dask").config.set({"temporary-directory": wanted["folder"]})
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        security = dask.Security.temporary()
    except ImportError:  # the package cryptography is not there
        security = None
    with dask.LocalCluster(
        n_workers=wanted["workers"],
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls://" if security else "tcp://",
        security=security,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs="ERROR",
    ) as cluster:
        of_client = security.get_tls_config_for_role("client") if security else {}
        client = {f"tls_{key}": of_client[name] for key, name in _CREDENTIALS.items() if name in of_client}
        report.write(json.dumps({"address": cluster.scheduler_address, "security": client}) + "\n")
        report.close()
        while os.read(0, 1024):  # nothing more is ever sent
            pass
        os.killpg(0, signal.SIGKILL)
