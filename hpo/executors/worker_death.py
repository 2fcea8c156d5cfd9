"""Why a worker process died, as the reason and the one line of a failed trial."""

import re
import signal
import time

from hpo.processes.memory_kills import VMSTAT, memory_kills


def kills_for_memory() -> int:
    """How many processes the kernel has killed because memory ran out, since it started; 0 where it does not say."""
    return memory_kills(VMSTAT)


class KillCount:
    """`kills_for_memory`, read at most once a second."""

    def __init__(self) -> None:
        self._count = kills_for_memory()
        self._looked = time.monotonic()

    def lately(self) -> int:
        """How many there were a second ago or later; cheap enough for every trial."""
        now = time.monotonic()
        if now - self._looked > 1.0:
            self._count, self._looked = kills_for_memory(), now
        return self._count


def cause_of_death(error: BaseException, *, memory_ran_out: bool = False) -> tuple[str, str]:
    """Reason and text for loky's report of a worker that died inside a trial.

    Nobody can tell who sent a SIGKILL. It counts as out of memory where the kernel has just killed somebody for that,
    and else stays the signal it is. loky gives the exit code only inside its message, as `{SIGKILL(-9)}` or
    `{EXIT(3)}`.
    """
    code = _exit_code(error)
    if code is None:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        return "lost", f"the worker process was lost: {first_line}"
    if code == 0:
        return "no_result", "the worker process ended (exit 0) without a result"
    if code > 0:
        return f"exit:{code}", f"the worker process ended (exit {code}) without a result"
    if -code == signal.SIGKILL and memory_ran_out:
        return (
            "oom",
            "the kernel killed the worker process, as memory ran out (SIGKILL, and its count of such kills rose)",
        )
    maybe = " (maybe out of memory)" if -code == signal.SIGKILL else ""
    return f"signal:{-code}", f"the worker process was killed by signal {-code}, {_signal_name(-code)}{maybe}"


def _exit_code(error: BaseException) -> int | None:
    codes = re.findall(r"[A-Z]+\((-?\d+)\)", str(error))
    return int(codes[0]) if codes else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"
