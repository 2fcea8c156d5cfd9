"""Which trials of a very large sweep are shown: not all, but none that people look for first."""

from collections.abc import Sequence

from hpo.trial import Goal, State
from trackers.watching import TrialHead

ALL_UP_TO = 20_000
"""So many trials are shown whole."""
BEST = 1000
NEWEST = 1000
FAILED = 2000
SHOWN = 12_000
"""Of more, about so many."""


def sample(heads: Sequence[TrialHead], goal: Goal) -> set[str] | None:
    """The run ids of the trials to show; None for all.

    In it are all that run or wait, the best, the newest, the newest failures, and an even sample of the others.
    """
    if len(heads) <= ALL_UP_TO:
        return None
    ranked = sorted(
        (head for head in heads if head.value is not None and head.state == State.COMPLETE),
        key=lambda head: head.value or 0.0,
        reverse=goal is Goal.MAXIMIZE,
    )
    kept = {head.run_id for head in ranked[:BEST]}
    kept |= {head.run_id for head in heads[-NEWEST:]}
    kept |= {head.run_id for head in [head for head in heads if head.state == State.FAILED][-FAILED:]}
    kept |= {head.run_id for head in heads if head.state in (State.RUNNING, State.WAITING)}
    rest = [head.run_id for head in heads if head.run_id not in kept]
    room = max(0, SHOWN - len(kept))
    return kept | {rest[at * len(rest) // room] for at in range(room if rest else 0)}


def sample_text(shown: int, total: int) -> str:
    """How the sample was drawn, for people."""
    return (
        f"{shown:,} of {total:,} trials are shown: the best {BEST:,}, the newest {NEWEST:,}, the newest {FAILED:,} "
        "failures, all that run, and an even sample of the others"
    )
