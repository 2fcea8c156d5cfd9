"""Which told trials an engine looks at, once there are more of them than it can look at quickly."""

from bisect import insort
from collections import deque
from heapq import heappush, heappushpop
from operator import itemgetter
from typing import Generic, TypeVar

LIMIT = 400
"""How many trials are looked at; see scripts/bench/shortlist.py for what that costs and spares."""

GOOD = 25
"""How many of the best are always among them: neither optuna's tpe nor hyperopt's takes more trials for good ones."""

NEWEST = 175
"""How many of the newest others are among them: tpe weighs these most, and would ask for a place again and again if it
did not see that it was tried just now."""

Item = TypeVar("Item")
Rank = tuple[float, ...]
_GOLDEN = (5**0.5 - 1) / 2


def limit_above(startup: object) -> int:
    """The limit for an engine that learns only after so many trials (its option, if given), so that it does learn."""
    return max(LIMIT, startup) if isinstance(startup, int) else LIMIT


class Shortlist(Generic[Item]):
    """All items up to `limit`; of more the best, the newest, and of the rest as many as there is room for.

    The rest is chosen by the order of arrival alone: item i has the place frac(i * golden ratio), and those with the
    lowest places stay. Such places are spread evenly over any stretch of time, whatever their number (the three-gap
    theorem). An item that lost its place never gets it back, so what is kept depends on what was added in which order,
    and on nothing else.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.added = 0
        self._newest_count = min(NEWEST, (limit - GOOD) // 2)
        self._room = limit - GOOD - self._newest_count
        self._best: list[tuple[Rank, int, Item]] = []
        self._newest: deque[tuple[int, Item]] = deque()
        self._rest: list[tuple[float, int, Item]] = []  # a heap, the highest place first

    def add(self, rank: Rank, item: Item) -> None:
        """Takes in an item, the better the lower its rank; of equals the earlier one is better."""
        index = self.added
        self.added += 1
        insort(self._best, (rank, index, item))
        if len(self._best) <= GOOD:
            return
        _, displaced, left = self._best.pop()
        if displaced == index:
            self._newest.append((index, item))
            if len(self._newest) <= self._newest_count:
                return
            displaced, left = self._newest.popleft()
        self._sample(displaced, left)

    def _sample(self, index: int, item: Item) -> None:
        entry = (-((index * _GOLDEN) % 1.0), index, item)
        if len(self._rest) < self._room:
            heappush(self._rest, entry)
        else:
            heappushpop(self._rest, entry)

    def items(self) -> list[Item]:
        """What is kept, in the order added."""
        kept = [*self._newest, *((index, item) for _, index, item in [*self._best, *self._rest])]
        return [item for _, item in sorted(kept, key=itemgetter(0))]
