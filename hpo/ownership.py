"""Makes this process the driver of a sweep, shows that it lives, and hands the sweep back at the end."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hpo.driver import Driver, Life, life_of
from hpo.errors import SweepOwned
from hpo.interruption import GRACE, Interruption
from hpo.lease import BEATS, LeaseWatch, lease_seconds, life_of_holder
from trackers.errors import AlreadyOwned, FencedOff, StoreBusy, StoreUnavailable, Superseded, TrackerError
from trackers.ownership import Holder, Ownership
from trackers.records import Fence

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at whether somebody asked the driver to stop, or took its sweep over."""

FREED = 60.0
"""Seconds to wait for what a dead driver had begun to write: a server finds out, and ends it, after 30."""

_mine: set[str] = set()
"""Tokens that threads of this process hold: a holder with our pid and another token is an end that was never said."""


@dataclass(frozen=True)
class Claim:
    """A sweep that this process drives; changes recorded with `fence` hold only as long as it does.

    `before` names the driver that held it and never gave it back, "" for none; `died`: it is known to be dead.
    """

    fence: Fence
    before: str = ""
    died: bool = False


@contextlib.contextmanager
def claimed(
    ownership: Ownership, sweep_id: str, name: str, *, takeover: bool = False, interruption: Interruption | None = None
) -> Iterator[Claim]:
    """Drives the sweep inside the block. `interruption` is asked when somebody asks this driver to stop.

    SweepOwned where a living driver has it, unless `takeover`. Superseded, naming who took over, when the block met a
    fence: then what it recorded too late was refused, and the store is left as it is.
    """
    claimant = Claimant(ownership, sweep_id, name)
    claim = claimant.claim(takeover=takeover)
    _mine.add(claim.fence.token)
    try:
        with _beating(ownership, claim.fence, interruption or Interruption(), claimant.lease / BEATS):
            yield claim
    except FencedOff as error:
        raise Superseded(f"{_superseded(ownership, claim.fence, name)}; its late results were refused") from error
    except BaseException:
        _give_back(ownership, claim.fence)
        raise
    else:
        _give_back(ownership, claim.fence)
    finally:
        _mine.discard(claim.fence.token)


@dataclass(frozen=True)
class Claimant:
    """Somebody who wants to drive a sweep. `clock` and `pause` are time itself, unless a test brings its own."""

    ownership: Ownership
    sweep_id: str
    name: str
    lease: float = field(default_factory=lambda: lease_seconds(os.environ))
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def claim(self, *, takeover: bool) -> Claim:
        """The claim, taken from a dead driver where there is one; SweepOwned where a living one has the sweep."""
        while True:
            holder = self.ownership.holder(self.sweep_id)
            died = holder is not None and self._is_dead(holder, takeover=takeover)
            with contextlib.suppress(AlreadyOwned):  # somebody else was faster: look again at who it is
                return self._take_once_free(holder, died=died)
            takeover = False  # it was meant for the driver seen, not for one that began since

    def _take_once_free(self, holder: Holder | None, *, died: bool) -> Claim:
        """A host that died in the middle of a write still has its rows locked, as far as the server knows."""
        end = self.clock() + FREED
        while True:
            try:
                return self._take(holder, died=died)
            except StoreBusy as error:
                if holder is None or holder.age is None or self.clock() >= end:
                    raise
                log.info("%s: the driver before may have died in the middle of a write, which ends soon", error)
                self.pause(LOOK)

    def _take(self, holder: Holder | None, *, died: bool) -> Claim:
        owner = Driver.here().text
        fence = self.ownership.claim(self.sweep_id, owner, taking_from=holder.token if holder else None)
        before = Driver.parse(holder.owner) if holder else None
        if before and not died:
            _end_trials_of(before)
        return Claim(fence, str(before or ""), died)

    def _is_dead(self, holder: Holder, *, takeover: bool) -> bool:
        """Whether the holder is dead; SweepOwned where it lives and is not to be taken over."""
        driver = Driver.parse(holder.owner)
        life = _life(driver, holder, self.lease)
        if life is Life.UNKNOWN and not takeover:
            log.info("sweep %s is held by %s; watching for %g s whether it lives", self.name, driver, self.lease)
            life = self._watch()
            driver = Driver.parse((self.ownership.holder(self.sweep_id) or holder).owner)  # it may be another by now
        if life is Life.ALIVE and not takeover:
            raise SweepOwned(
                f"the sweep {self.name!r} is run by {driver}; nothing was done. To end that driver: "
                f"hpo stop {self.name}; where it hangs, take the sweep over with --takeover"
            )
        return life is Life.DEAD

    def _watch(self) -> Life:
        watch = LeaseWatch(self.lease, self.clock)
        while (life := watch.look(lambda: self.ownership.holder(self.sweep_id))) is Life.UNKNOWN:
            self.pause(min(LOOK, self.lease / (BEATS * 5)))
        return life


def _life(driver: Driver, holder: Holder, lease: float) -> Life:
    if driver.pid == os.getpid() and holder.token in _mine:
        return Life.ALIVE
    life = life_of_holder(holder, lease)
    return Life.DEAD if life is Life.ALIVE and driver.pid == os.getpid() else life


def _end_trials_of(driver: Driver) -> None:
    """Ends what a driver that was just fenced off has running on this host: it may be frozen, and its workers not.

    A trial of theirs that went on would write its files over those of the next attempt.
    """
    if driver.pid != os.getpid() and life_of(driver) is Life.ALIVE:
        from hpo.processes.slot_processes import end_slots_of  # psutil is needed here only

        end_slots_of(driver.pid)


def _give_back(ownership: Ownership, fence: Fence) -> None:
    with contextlib.suppress(StoreUnavailable):  # the next driver sees that this one is dead
        ownership.release(fence)


@contextlib.contextmanager
def _beating(ownership: Ownership, fence: Fence, interruption: Interruption, interval: float) -> Iterator[None]:
    ended = threading.Event()
    arguments = (ownership, fence, interruption, interval, ended)
    heart = threading.Thread(target=_beat, args=arguments, name="hpo-heart", daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()


def _beat(
    ownership: Ownership, fence: Fence, interruption: Interruption, interval: float, ended: threading.Event
) -> None:
    """Beats until the end, in a thread of its own: a trial may keep the driver's main thread for hours."""
    last = time.monotonic()
    while not ended.wait(min(LOOK, interval)):
        try:
            if time.monotonic() - last >= interval:
                last = time.monotonic()
                stop_asked = ownership.beat(fence)
            else:
                stop_asked = _is_asked_to_stop(ownership, fence)
        except FencedOff:
            interruption.ask(0.0)
            return
        except TrackerError:
            continue  # the driver itself finds out, and waits for the store
        if stop_asked and not interruption.asked:
            log.info("asked to stop: open trials have %.0f s to end", GRACE)
            interruption.ask(GRACE)


def _is_asked_to_stop(ownership: Ownership, fence: Fence) -> bool:
    """As a beat, but only by reading."""
    holder = ownership.holder(fence.sweep_id)
    if holder is None or holder.token != fence.token:
        raise FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now")
    return holder.stop_asked


def _superseded(ownership: Ownership, fence: Fence, name: str) -> str:
    holder = None
    with contextlib.suppress(StoreUnavailable):
        holder = ownership.holder(fence.sweep_id)
    who = Driver.parse(holder.owner) if holder else "another driver, which has ended since"
    return f"this driver of sweep {name!r} was superseded by {who}"
