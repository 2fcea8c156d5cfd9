"""`python -m hpo.mirrors`: the process of `hpo.mirrors.worker`, which steps back before it imports anything heavy."""

import contextlib
import os

from hpo.processes.priority import step_back

NICE, NICE_VARIABLE = 19, "HPO_MIRROR_NICE"
"""How little of the processor this process gets where others want it; the variable overrides it."""


def niceness(text: str) -> int:
    """What the variable says; the default where that is no niceness."""
    with contextlib.suppress(ValueError):
        return min(max(int(text), 0), NICE)
    return NICE


if __name__ == "__main__":
    step_back(niceness(os.environ.get(NICE_VARIABLE, "")))
    from hpo.mirrors.worker import main

    main()
