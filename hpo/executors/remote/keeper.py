"""A thread that keeps pilots placed: what went away is placed again, and a cluster that was lost is looked for."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from hpo.errors import ClusterUnavailable
from hpo.executors.remote.placement import ENDED, LOST, REFUSED, UNREACHABLE, PilotReport, Placement
from hpo.failure_text import failure_line

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at the placement."""

BUSY = 1.0
"""Seconds that the placement has to come back from what it is asked when all is to end."""

CALM = 60.0
"""Seconds without a lost pilot after which the next one is placed again at once."""

LONGEST_PAUSE = 30.0


class Keeper:
    """Keeps `count` pilots in a placement, from the moment it is made until it is closed.

    `turned_away` is told why a pilot cannot work. Where that will not change it is not placed again, but for the first
    that were refused, `others` in all: a cluster may have other hosts.
    """

    def __init__(
        self, placement: Placement, errand: str, count: int, turned_away: Callable[[str], None], others: int = 0
    ) -> None:
        self._placement = placement
        self._errand = errand
        self._missing = count
        self._placed = 0
        self._others = others
        self._turned_away = turned_away
        self._pause, self._next, self._calm_from = 0.0, 0.0, 0.0
        self._over = threading.Event()
        self.problem = ""
        """Why the cluster is out of reach right now; empty where it is not."""
        self._thread = threading.Thread(target=self._run, name="hpo-placement", daemon=True)
        self._thread.start()

    @property
    def has_given_up(self) -> bool:
        """Whether there is no pilot, and none will be placed any more."""
        return not (self._placed or self._missing)

    def close(self, seconds: float, told: int) -> None:
        """Places no more, and gives the pilots that were told to end so many seconds to do it."""
        self._over.set()
        self._thread.join(BUSY)
        if self._thread.is_alive():  # it connects, which may take long: the placement is told next
            return
        deadline, others = time.monotonic() + seconds, self._placed - told
        while self._placed > max(others, 0) and not self.problem and time.monotonic() < deadline:
            self._look(self._count_off)
            time.sleep(0.02)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._look(self._take)
                if self._missing and time.monotonic() >= self._next:
                    self._place()
            except (
                Exception
            ) as error:  # a cluster's library has said what nobody foresaw: it may pass, or be waited for
                self.problem = failure_line(error)
                self._wait_longer()
            self._over.wait(LOOK)

    def _look(self, take: Callable[[Sequence[PilotReport]], None]) -> None:
        try:
            reports = self._placement.ended()
            self.problem = "" if self._placed else self.problem
        except ClusterUnavailable as error:
            self.problem = str(error)
            return
        take(reports)

    def _place(self) -> None:
        try:
            self._placement.place(self._errand, self._missing)
        except ClusterUnavailable as error:
            self.problem = str(error)
            self._wait_longer()
            return
        self.problem = ""
        self._placed, self._missing = self._placed + self._missing, 0

    def _count_off(self, reports: Sequence[PilotReport]) -> None:
        self._placed -= len(reports)

    def _take(self, reports: Sequence[PilotReport]) -> None:
        for report in reports:
            self._placed -= 1
            if report.kind in (LOST, UNREACHABLE):
                self._missing += 1
            if report.kind == REFUSED and self._others:
                self._others -= 1
                self._missing += 1
            if report.kind in (REFUSED, UNREACHABLE):
                self._turned_away(report.text)
            elif report.kind != ENDED:
                log.warning("a worker of the cluster was lost%s; another one is asked for", _why(report))
        if any(report.kind in (LOST, UNREACHABLE) for report in reports):
            self._wait_longer()

    def _wait_longer(self) -> None:
        """The first loss is made good at once; each further one soon after costs more patience."""
        now = time.monotonic()
        if now >= self._calm_from:
            self._pause = 0.0
        self._next = now + self._pause
        self._calm_from = now + self._pause + CALM
        self._pause = min(max(2 * self._pause, 1.0), LONGEST_PAUSE)


def _why(report: PilotReport) -> str:
    return f" ({report.text})" if report.text else ""
