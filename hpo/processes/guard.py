"""A process beside the driver that ends whatever its slots left running when the driver is killed."""

import subprocess
import sys
from contextlib import suppress

from hpo.processes import slot_processes


class Guard:
    """Lives as long as the driver; costs nothing while it does.

    It holds one end of a pipe, so it learns of the driver's death however that happens, and then kills every process
    with the mark. Only if it is killed together with the driver do processes that trials started live on.
    """

    def __init__(self, mark: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", slot_processes.__file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Ends it, after everything it guards has ended; safe to call twice."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.kill()
        self._process.wait()
