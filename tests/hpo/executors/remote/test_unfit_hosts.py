"""Hosts of a cluster that cannot work, or work differently; with hosts that only speak."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import ClusterUnavailable, ConfigError, ObjectiveError
from hpo.executors.limits import Limits
from hpo.executors.remote import keeper, remote_executor
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.frames import BadFrame
from hpo.executors.remote.handshake import Identity
from hpo.executors.remote.host_end import Errand, connect
from hpo.executors.remote.keeper import Keeper
from hpo.executors.remote.placement import ENDED, REFUSED, PilotReport
from hpo.executors.remote.remote_executor import RemoteExecutor
from hpo.executors.remote.unfit import OTHERS
from hpo.executors.remote.versions import differences, versions_here
from hpo.executors.work import Work
from hpo.masking import Secrets
from hpo.secret_keeping import SecretKeeping
from hpo.trial import Goal, Trial

ME = Identity.here()
FIT = replace(ME, host="fit", machine="far")
OLD = replace(ME, host="old", machine="far", python="3.9")
HERE = Cluster(address="somewhere:1")


def at_once(me: Identity, step: str) -> None:
    """For hosts that wait for nothing."""


class Talkers:
    """A cluster whose hosts are threads: the next of these that can work, or cannot, for each pilot; then no more.

    `before` is called by a host that "comes", and that is "ready". The first trial fails by `error`, if there is one.
    """

    address = "127.0.0.1"

    def __init__(
        self, *hosts: Identity, problem: str = "", error: str = "", before: Callable[[Identity, str], None] = at_once
    ) -> None:
        self._error = error
        self._hosts = list(hosts)
        self._before = before
        self._problem = problem
        self._reports: list[PilotReport] = []
        self._threads: list[threading.Thread] = []

    def place(self, errand: str, count: int) -> None:
        for _ in range(min(count, len(self._hosts))):
            given = Errand.of(json.loads(errand)), self._hosts.pop(0)
            self._threads.append(threading.Thread(target=self._talk, args=given))
            self._threads[-1].start()

    def ended(self) -> list[PilotReport]:
        reports, self._reports = self._reports, []
        return reports

    def close(self) -> None:
        for thread in self._threads:
            thread.join()

    def _talk(self, errand: Errand, me: Identity) -> None:
        self._before(me, "comes")
        end, _ = connect(errand, me)
        end.send("hello", **me.facts, sees={})
        said, report = end.receive(), PilotReport(ENDED)
        if said["say"] == "refused":
            report = PilotReport(REFUSED, str(said["text"]))
        else:
            with suppress(EOFError, OSError, BadFrame):
                end.receive_bytes(), end.receive_bytes()
                self._before(me, "ready")
                end.send("ready", problem=self._problem and f"on host {me.host}: {self._problem}")
                given = end.receive()
                if self._error and given["say"] == "trial":
                    failed = {"number": 0, "attempt": 1, "state": "FAILED", "error": self._error}
                    end.send("outcome", ticket=given["ticket"], outcome={**failed, "traceback": self._error})
                    end.receive()
            report = PilotReport(REFUSED, f"on host {me.host}: {self._problem}") if self._problem else report
        self._reports.append(report)
        end.close()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RemoteExecutor]]:
    monkeypatch.setattr(keeper, "LOOK", 0.01)
    monkeypatch.setattr(remote_executor, "TICK", 0.01)
    made: list[RemoteExecutor] = []

    def make(placement: Talkers, slots: int = 1, cluster: Cluster = HERE, objective: object = abs) -> RemoteExecutor:
        work = Work(objective, "loss", Goal.MINIMIZE, None, tmp_path)  # type: ignore[arg-type]  # it is never called
        made.append(RemoteExecutor(work, slots=slots, limits=Limits(), placement=placement, cluster=cluster))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def test_an_unfit_host_that_answers_first_is_named_once_and_the_others_go_on(
    make: Callable[..., RemoteExecutor], caplog: pytest.LogCaptureFixture
) -> None:
    executor = make(Talkers(OLD, OLD, OLD, FIT))

    assert executor.slots == 1
    assert [record.message for record in caplog.records] == [
        f"a host of the cluster is not used: host old has Python 3.9, this driver {ME.python}; both must be the same: "
        f"install {ME.python} there, or start the driver with 3.9"
    ]


def test_where_no_host_is_fit_there_is_no_sweep_and_all_reasons_are_told(make: Callable[..., RemoteExecutor]) -> None:
    other = replace(OLD, host="older", python="2.7")

    with pytest.raises(ConfigError, match=r"host old has Python 3\.9.*\nhost older has Python 2\.7"):
        make(Talkers(OLD, *[other] * OTHERS), slots=1)


def test_where_the_objective_runs_on_no_host_that_is_the_error(make: Callable[..., RemoteExecutor]) -> None:
    with pytest.raises(ObjectiveError, match="on host fit: no module 'x'"):
        make(Talkers(*[FIT] * (4 + OTHERS), problem="no module 'x'"), slots=4)


def test_all_hosts_of_a_local_cluster_are_alike_so_the_first_decides(make: Callable[..., RemoteExecutor]) -> None:
    with pytest.raises(ObjectiveError, match="no module 'x'"):
        make(Talkers(FIT, problem="no module 'x'"), slots=4, cluster=Cluster())


def test_hosts_that_stay_away_are_not_waited_for_once_one_was_turned_away(
    make: Callable[..., RemoteExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_executor, "STRAGGLERS", 0.05)

    with pytest.raises(ConfigError, match="host old has Python"):
        make(Talkers(OLD), slots=8)


def test_a_host_that_gets_ready_is_waited_for_though_another_was_turned_away_long_ago(
    make: Callable[..., RemoteExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_executor, "STRAGGLERS", -1.0)
    is_there, was_turned_away, was_judged = threading.Event(), threading.Event(), threading.Event()
    looks: list[bool] = []
    turn_away = RemoteExecutor.turned_away

    def turned_away(executor: RemoteExecutor, text: str) -> None:
        turn_away(executor, text)
        was_turned_away.set()

    def before(me: Identity, step: str) -> None:
        if me is OLD:
            assert is_there.wait(30)
        elif step == "ready":
            is_there.set()
            assert was_judged.wait(30)

    def is_over() -> bool:
        """Asked each time before it is judged whether there is hope."""
        looks.append(was_turned_away.is_set())
        if sum(looks) > 1:
            was_judged.set()
        return False

    monkeypatch.setattr(RemoteExecutor, "turned_away", turned_away)

    assert make(Talkers(FIT, OLD, before=before), 2, Cluster(address="somewhere:1", is_over=is_over)).slots == 1


def test_versions_that_differ_are_said_once(
    make: Callable[..., RemoteExecutor], caplog: pytest.LogCaptureFixture
) -> None:
    there = replace(FIT, packages="numpy 1.0, torch 9")
    here = dict(each.split(" ") for each in versions_here().split(", "))

    executor = make(Talkers(there, there, FIT), slots=3)
    while executor.slots < 3:
        executor.wait(0.01)

    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"host fit, perhaps others too, has numpy 1.0 (here {here['numpy']})")


def test_versions_are_compared_where_both_sides_have_a_package() -> None:
    assert differences("numpy 2.0, torch 1", "numpy 2.1, scipy 1") == "numpy 2.0 (here 2.1)"
    assert differences("", versions_here()) == ""
    assert Identity.of({name: fact for name, fact in ME.facts.items() if name != "packages"}).packages == ""


def test_a_cluster_with_fewer_slots_than_jobs_is_told_once(
    make: Callable[..., RemoteExecutor], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote_executor, "FEW", 0.0)
    caplog.set_level(logging.INFO)
    executor = make(Talkers(FIT), slots=3)

    executor.wait(0.0)
    executor.wait(0.0)

    said = "trials run in 1 of 3 slots (parallel.n_jobs): the cluster has no room for more yet"
    assert [record.message for record in caplog.records] == [said]


def test_code_that_cannot_be_sent_is_looked_for_once(
    make: Callable[..., RemoteExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    def pack(search_path: object) -> bytes:
        tries.append(search_path)
        raise ConfigError("there is too much of it")

    monkeypatch.setattr(remote_executor, "pack", pack)
    with pytest.raises(ConfigError, match="host fit does not see this machine's files, and there is too much of it"):
        make(Talkers(*[FIT] * (1 + OTHERS)))
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("machine", "sees", "is_elsewhere"),
    [
        (ME.machine, {"driver": True}, False),
        (ME.machine, {"driver": False}, True),
        (ME.machine, {}, True),
        ("far", {"driver": True}, True),
    ],
)
def test_code_is_sent_to_hosts_that_are_elsewhere_or_see_other_files(
    make: Callable[..., RemoteExecutor],
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    sees: dict[str, bool],
    is_elsewhere: bool,
) -> None:
    monkeypatch.setattr(remote_executor, "pack", lambda path: b"the code")
    setup = make(Talkers(FIT)).setup_for(replace(ME, machine=machine), sees)

    assert not isinstance(setup, str)
    assert (setup.facts["is_elsewhere"], setup.bundle) == (is_elsewhere, b"the code" if is_elsewhere else b"")


def test_a_host_that_does_not_see_the_artifacts_is_told_what_to_set(
    make: Callable[..., RemoteExecutor], tmp_path: Path
) -> None:
    executor = make(Talkers(FIT), cluster=replace(HERE, artifacts=tmp_path))

    refused = executor.setup_for(ME, {"driver": True, "artifacts": False})

    assert str(refused).startswith(
        f"host {ME.host} does not see {tmp_path}, where trials keep their files; set tracker"
    )


def test_what_a_host_did_not_mask_the_driver_does(make: Callable[..., RemoteExecutor]) -> None:
    objective = SecretKeeping(abs, Secrets(values=frozenset({"S3CRET-token"})))  # type: ignore[arg-type]  # as above
    executor = make(Talkers(FIT, error="no S3CRET-token"), objective=objective)
    executor.submit(Trial(0, {}, 0))

    (outcome,) = executor.wait(30)

    assert (outcome.error, outcome.traceback) == ("no ***", "no ***")


def test_a_line_that_others_can_reach_is_told_with_the_secrets_on_it(
    make: Callable[..., RemoteExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(remote_executor, "say_what_can_be_read", lambda address, work: told.append(address))
    make(Talkers(FIT))
    assert told == []

    monkeypatch.setattr(remote_executor, "is_loopback", lambda address: False)
    make(Talkers(FIT))
    assert told == ["127.0.0.1"]


def test_where_the_last_fit_host_leaves_and_no_other_can_work_that_is_the_end(
    make: Callable[..., RemoteExecutor],
) -> None:
    executor = make(Talkers(FIT, *[OLD] * (1 + OTHERS)), slots=2)
    executor.submit(Trial(0, {}, 0))
    (outcome,) = executor.wait(30)  # it hangs up when it hears of a trial
    assert outcome.reason == "lost"

    executor.submit(Trial(1, {}, 0))
    with pytest.raises(ClusterUnavailable, match=r"no host of the cluster can work here: host old has Python 3\.9"):
        executor.wait(30)


def test_trials_that_no_host_has_do_not_hold_up_an_end(make: Callable[..., RemoteExecutor]) -> None:
    """While a cluster is away nothing can end, so there is no use in the 10 s that open trials have."""
    wishes: list[str] = []
    executor = make(Talkers(), cluster=Cluster(address="somewhere:1", is_over=lambda: not wishes))
    wishes.append("go on")
    executor.submit(Trial(0, {}, 0))
    assert executor.wait(0.05) == []
    wishes.clear()

    (outcome,) = executor.wait(30)

    assert (outcome.number, outcome.reason) == (0, "signal:before-it-began")


def test_an_end_is_not_held_up_by_a_cluster_that_is_being_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """dask takes 10 s to find out that nobody answers, Ray a minute."""
    monkeypatch.setattr(keeper, "BUSY", 0.05)
    connecting, answer = threading.Event(), threading.Event()

    class Silent(Talkers):
        def place(self, errand: str, count: int) -> None:
            connecting.set()
            answer.wait(60)
            raise ClusterUnavailable("nobody answers")

    keeping = Keeper(Silent(), "", 1, lambda text: None)
    assert connecting.wait(10)
    closing = threading.Thread(target=keeping.close, args=(0.0, 0))
    closing.start()
    closing.join(20)
    was_held_up = closing.is_alive()
    answer.set()
    closing.join()

    assert not was_held_up
