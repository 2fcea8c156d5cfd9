"""Why a worker process died, as the reason and the one line of a failed trial."""

import re
import signal


def cause_of_death(error: BaseException) -> tuple[str, str]:
    """Reason and text for loky's report of a dead worker.

    loky gives the exit code only inside its message, as `{SIGKILL(-9)}` or `{EXIT(3)}`.
    """
    codes = re.findall(r"[A-Z]+\((-?\d+)\)", str(error))
    if not codes:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        return "lost", f"the worker process was lost: {first_line}"
    code = int(codes[0])
    if code == 0:
        return "no_result", "the worker process ended (exit 0) without a result"
    if code > 0:
        return f"exit:{code}", f"the worker process ended (exit {code}) without a result"
    maybe = " (maybe out of memory)" if -code == signal.SIGKILL else ""
    return f"signal:{-code}", f"the worker process was killed by signal {-code}, {_signal_name(-code)}{maybe}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"
