"""Runs trials in slots on other machines, each offered by a slot host that a cluster holds for the driver."""

import json
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

from hpo.errors import ClusterUnavailable, ConfigError, ObjectiveError
from hpo.executor import Answer, Executor, go_on
from hpo.executors.limits import Limits
from hpo.executors.open_trials import OpenTrials
from hpo.executors.remote.carried import carried
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.code_bundle import pack
from hpo.executors.remote.crew import Crew, Job
from hpo.executors.remote.driver_line import DriverLine, Host, Setup
from hpo.executors.remote.frames import FROM_DRIVER_LIMIT, SIGNATURE, BadFrame
from hpo.executors.remote.handshake import Identity
from hpo.executors.remote.host_end import Errand
from hpo.executors.remote.in_the_clear import say_what_can_be_read
from hpo.executors.remote.keeper import Keeper
from hpo.executors.remote.messages import Message, number_in, outcome_of, question_from
from hpo.executors.remote.placement import Placement
from hpo.executors.remote.reaching import resolved
from hpo.executors.remote.seen import Probe
from hpo.executors.remote.sockets import is_loopback
from hpo.executors.remote.unfit import OTHERS, STRAGGLERS, Unfit
from hpo.executors.remote.versions import OtherVersions
from hpo.executors.work import Work
from hpo.secret_keeping import without_secrets
from hpo.trial import Outcome, Trial

log = logging.getLogger(__name__)

FIRST_HOST = 300.0
"""Seconds until the first host has to be ready; the others may come whenever they come."""

SAY_AGAIN = 10.0
"""Seconds after which waiting is said, and said again; from then on whenever it has doubled."""

FEW = 15.0
"""Seconds after the first host from which on it is said how many slots have none yet."""

NOT_BEGUN = "signal:before-it-began"
"""The reason of trials that no host had when somebody wanted an end: as one of a signal it costs them nothing."""

RECONNECT = 60.0
"""Seconds for which a slot host tries to reach the driver."""

LAST_SECONDS = 3.0
"""Seconds that pilots have to end when the executor is closed."""

TICK = 0.5


class RemoteExecutor:
    """Slots are slot hosts: processes somewhere, each with one worker process that is watched as by ProcessExecutor.

    A trial goes over one TCP connection to a host that is free, and its outcome comes back; the cluster places hosts
    and has no part in that. `slots` is how many are ready, at most as many as asked for: hosts may come and go. The
    trial of a host that is gone is `lost` at once. Where the last one is gone and no other comes, `wait` raises
    ClusterUnavailable after `cluster.patience` seconds.

    Made when the first host is ready. Raises ObjectiveError where the objective cannot get ready there, ConfigError
    where hosts cannot work for this driver, ClusterUnavailable where none comes in time.
    """

    def __init__(self, work: Work, *, slots: int, limits: Limits, placement: Placement, cluster: Cluster) -> None:
        self._most = slots
        self._work = work
        self._limits = limits
        self._cluster = cluster
        self._open: OpenTrials[Outcome] = OpenTrials(slots)
        self._crew = Crew(self._open.end)
        self._me = Identity.here()
        self._changed = threading.Event()
        self._unfit = Unfit()
        self._other_versions = OtherVersions()
        self._say_few_at = math.inf
        self._packing, self._bundle, self._why_no_bundle = threading.Lock(), b"", ""
        self._none_since = time.monotonic()
        self._said = SAY_AGAIN
        self._ends = ExitStack()
        self._is_started = False
        self._ends.callback(placement.close)
        try:
            self._start(placement)
            self._wait_for_the_first()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """How many trials can run at once."""
        return max(1, min(self._crew.ready, self._most))

    def submit(self, trial: Trial) -> None:
        """Sends a trial to a free host; where all are gone meanwhile, to the first that comes."""
        self._crew.give(Job(self._open.add(trial), trial))

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        """What has ended since the last call; ClusterUnavailable where nothing can end any more."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._say_if_slots_are_few()
        while True:
            if self._cluster.is_over():
                self._crew.withdraw(NOT_BEGUN)
            left = TICK if deadline is None else min(TICK, deadline - time.monotonic())
            outcomes = [outcome for _, _, outcome in self._open.take(max(left, 0.0), answer)]
            if outcomes or not self._open.any:
                return outcomes
            self._look_for_hosts()
            if deadline is not None and time.monotonic() >= deadline:
                return []

    def cancel(self, trial: Trial) -> None:
        """Has the trial's worker killed; its host takes the next trial after that."""
        ticket = self._open.cancel(trial)
        if ticket is not None:
            self._crew.take_back(ticket)

    def close(self) -> None:
        """Ends all hosts, and the cluster if it was made for this."""
        self._open.clear()
        self._ends.close()

    def setup_for(self, identity: Identity, sees: Mapping[str, bool]) -> Setup | str:
        """What a host gets, or why it cannot work here."""
        is_elsewhere = identity.machine != self._me.machine or not sees.get("driver", False)
        if not sees.get("artifacts", True):
            return (
                f"host {identity.host} does not see {self._cluster.artifacts}, where trials keep their files; set "
                "tracker.artifacts to a folder that all hosts share, or to an object store (s3://..)"
            )
        self._other_versions.say(identity.host, identity.differences(self._me))
        bundle = self._code() if is_elsewhere else b""
        if self._why_no_bundle and is_elsewhere:
            return f"host {identity.host} does not see this machine's files, and {self._why_no_bundle}"
        shares = {"limits": asdict(self._limits), "share": asdict(self._cluster.share)}
        facts = {"is_elsewhere": is_elsewhere, "cwd": os.getcwd(), **shares}  # noqa: PTH109
        return Setup(facts, self._pickled, bundle)

    def said(self, host: Host, message: Message) -> None:
        """A host has something to say."""
        match message["say"]:
            case "ready":
                self._is_ready(host, str(message.get("problem", "")))
            case "question":
                self._asks(host, message)
            case "outcome":
                job = self._crew.job_of(host, number_in(message, "ticket"))
                if job is not None:
                    outcome = outcome_of(message, job.trial, [self._work.metric, *self._work.others])
                    self._crew.done(host, job, without_secrets(outcome, self._work.objective))
            case other:
                raise BadFrame(f"{str(other)[:50]!r} is nothing a host says")

    def left(self, host: Host) -> None:
        """A host is gone."""
        if self._crew.leave(host) and not self._crew.ready:
            self._none_since, self._said = time.monotonic(), SAY_AGAIN

    def turned_away(self, text: str) -> None:
        """A host cannot work here; the others go on without it."""
        self._unfit.add(text)
        self._changed.set()

    def _start(self, placement: Placement) -> None:
        self._pickled = carried(self._work)
        if len(self._pickled) > FROM_DRIVER_LIMIT - SIGNATURE:
            raise ObjectiveError(
                f"the objective takes {len(self._pickled):,} bytes, too many to be sent; let it read its data where "
                "it runs"
            )
        probes = {"driver": self._probe(Probe.left_in(self._work.scratch))}
        if self._cluster.artifacts is not None:
            probes["artifacts"] = self._probe(Probe.left_in(self._cluster.artifacts))
        key = secrets.token_bytes(32)
        towards, bind = self._addresses(placement)
        line = self._line = DriverLine(key, bind, self, probes)
        self._ends.callback(line.close)
        self._is_local = is_loopback(towards) and self._cluster.address is None
        if not is_loopback(towards):
            say_what_can_be_read(towards, self._work)
        errand = json.dumps(Errand(towards, line.port, key, RECONNECT).facts)
        self._keeper = Keeper(placement, errand, self._most, self.turned_away, 0 if self._is_local else OTHERS)
        self._ends.callback(self._end_hosts, line)

    def _end_hosts(self, line: DriverLine) -> None:
        told = self._crew.ready
        line.say_it_is_over()
        self._keeper.close(LAST_SECONDS, told)

    def _probe(self, probe: Probe) -> dict[str, str]:
        self._ends.callback(probe.remove)
        return probe.facts

    def _addresses(self, placement: Placement) -> tuple[str, tuple[str, int]]:
        """Where hosts are to connect to, and where to listen."""
        if self._cluster.listen is None:
            address = placement.address
            return address, (address, 0)
        found, port = resolved(self._cluster.listen)
        return (placement.address if found in ("0.0.0.0", "::") else found), (found, port)  # noqa: S104  # as written

    def _is_ready(self, host: Host, problem: str) -> None:
        if problem:
            host.send("end")
            self._unfit.add(problem, is_broken=True)
            self._changed.set()
            return
        if not self._crew.join(host):
            raise BadFrame("it was ready before")
        self._changed.set()

    def _asks(self, host: Host, message: Message) -> None:
        job = self._crew.job_of(host, number_in(message, "ticket"))
        if job is None:  # it was cancelled, and the host is about to hear of it
            return
        question = question_from(job.trial, self._work.metric, message.get("reports"))
        self._open.ask(question, partial(_reply, host, job.ticket))

    def _wait_for_the_first(self) -> None:
        deadline = time.monotonic() + FIRST_HOST
        while not self._crew.ready and not self._cluster.is_over():
            if self._is_hopeless():
                raise self._unfit.error
            if time.monotonic() > deadline:
                raise ClusterUnavailable(f"no host of the cluster was ready after {FIRST_HOST:.0f} s{self._state()}")
            self._say_that_none_is_ready()
            self._changed.wait(TICK)
            self._changed.clear()
        self._is_started = True
        self._unfit.say()
        self._say_few_at = time.monotonic() + FEW

    def _is_hopeless(self) -> bool:
        """Whether no host will be able to work here: all of a local cluster are alike, elsewhere others may come."""
        if not self._unfit:
            return False
        is_late = self._unfit.seconds > STRAGGLERS and not self._line.has_hosts
        return self._is_local or is_late or self._keeper.has_given_up

    def _look_for_hosts(self) -> None:
        """Where there is no host: says so, and after some time that there will be none."""
        if self._crew.ready or not self._is_started:
            return
        self._say_that_none_is_ready()
        if self._keeper.has_given_up:
            raise ClusterUnavailable(f"no host of the cluster can work here: {self._unfit}")
        waited = time.monotonic() - self._none_since
        if self._keeper.problem and waited > self._cluster.patience:
            raise ClusterUnavailable(f"the cluster is gone for {waited:.0f} s: {self._keeper.problem}")

    def _say_that_none_is_ready(self) -> None:
        waited = time.monotonic() - self._none_since
        if waited >= self._said:
            log.warning("waiting for a host of the cluster (%.0f s)%s", waited, self._state())
            self._said = max(2 * waited, self._said)

    def _say_if_slots_are_few(self) -> None:
        if time.monotonic() >= self._say_few_at:
            self._say_few_at = math.inf
            if 0 < self._crew.ready < self._most:
                log.info(
                    "trials run in %d of %d slots (parallel.n_jobs): the cluster has no room for more yet",
                    self._crew.ready, self._most,
                )  # fmt: skip

    def _state(self) -> str:
        problem = self._keeper.problem or str(self._unfit)
        return f": {problem}" if problem else ": its workers are busy, or there are none yet"

    def _code(self) -> bytes:
        with self._packing:  # hosts come all at once
            if not self._bundle and not self._why_no_bundle:
                try:
                    self._bundle = pack(self._work.search_path)
                except (ConfigError, OSError) as error:
                    self._why_no_bundle = str(error)
            return self._bundle


def _reply(host: Host, ticket: int, stop: bool | None) -> None:
    if stop is not None:
        host.send("reply", ticket=ticket, stop=stop)


_: type[Executor] = RemoteExecutor
