"""A thread that looks at the slots of an executor while the driver is busy with something else."""

import threading
import time
from collections.abc import Sequence

from hpo.executors.limits import Limits
from hpo.executors.process_slot import ProcessSlot

PATIENT = 0.5
"""Seconds between two looks where nothing is limited: only workers that died unseen are to be found."""

TIMED = 0.1
MEASURED = 0.05
"""Seconds between two looks where time, or memory, is limited: 0.05 s is enough to fill some 100 MiB."""

SHARE = 0.05
"""The part of a core that looking may take; on a machine with many processes it takes longer and is done less often."""


class Watch:
    """Ends trials that go beyond the limits, and finds workers whose death nobody noticed."""

    def __init__(self, slots: Sequence[ProcessSlot], limits: Limits) -> None:
        self._slots = slots
        self._limits = limits
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hpo-watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the thread; safe to call twice."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        usual = PATIENT if not self._limits.any else TIMED if self._limits.memory is None else MEASURED
        pause = usual
        while not self._over.wait(pause):
            began = time.thread_time()
            for slot in self._slots:
                slot.look(self._limits)
            pause = max(usual, (time.thread_time() - began) / SHARE)
