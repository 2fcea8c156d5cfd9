"""Slots on hosts: what happens when hosts come and go, see other files, or cannot work; with pilots as processes."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cloudpickle
import psutil
import pytest
from process_placement import ProcessPlacement
from waiting import until

from hpo.errors import ClusterUnavailable, ConfigError, ObjectiveError
from hpo.executors.limits import Limits
from hpo.executors.remote import keeper, pilot, remote_executor, slot_host
from hpo.executors.remote.cluster import Cluster, listen_at
from hpo.executors.remote.code_bundle import pack
from hpo.executors.remote.handshake import Identity
from hpo.executors.remote.host_end import Errand, connect
from hpo.executors.remote.placement import LOST, REFUSED, UNREACHABLE, PilotReport
from hpo.executors.remote.remote_executor import RemoteExecutor
from hpo.executors.remote.sent_pilot import sent_pilot
from hpo.executors.work import Work
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # hosts cannot import a test file

PATIENCE = 60.0
Make = Callable[..., RemoteExecutor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[RemoteExecutor] = []

    def make(objective: object, placement: ProcessPlacement, slots: int = 1, **more: object) -> RemoteExecutor:
        settings = {name: more.pop(name) for name in ("limits", "cluster") if name in more}
        work = Work(objective, "loss", Goal.MINIMIZE, None, tmp_path / "scratch", **more)  # type: ignore[arg-type]
        made.append(
            RemoteExecutor(
                work, slots=slots, placement=placement, **{"limits": Limits(), "cluster": Cluster()} | settings
            )
        )
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def one(executor: RemoteExecutor, trial: Trial) -> Outcome:
    executor.submit(trial)
    (outcome,) = executor.wait(PATIENCE)
    return outcome


def holding(folder: Path) -> Callable[..., float]:
    """An objective that says which process it is, and then waits until it may go on."""

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (folder / f"pid{trial.number}").write_text(str(os.getpid()))
        while not (folder / "go").exists():
            time.sleep(0.01)
        return 1.0

    return objective


def slot_hosts(placement: ProcessPlacement) -> list[psutil.Process]:
    return [child for each in placement.pilots for child in psutil.Process(each.pid).children()]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_pilot_that_is_killed_costs_its_trial_alone_and_is_placed_again(make: Make, tmp_path: Path) -> None:
    placement = ProcessPlacement()
    executor = make(holding(tmp_path), placement)
    executor.submit(Trial(0, {}, 0))
    until((tmp_path / "pid0").exists)

    placement.pilots[0].kill()
    (lost,) = executor.wait(PATIENCE)
    (tmp_path / "go").touch()
    again = one(executor, Trial(0, {}, 0, attempt=2))

    assert (lost.state, lost.reason, lost.error) == (
        State.FAILED, "lost", f"its worker on host {os.uname().nodename} was lost",
    )  # fmt: skip
    assert (again.state, again.attempt) == (State.COMPLETE, 2)
    assert placement.placed == 2


@pytest.mark.slow
def test_a_slot_host_that_is_killed_is_replaced_by_its_pilot(make: Make, tmp_path: Path) -> None:
    placement = ProcessPlacement()
    executor = make(holding(tmp_path), placement)
    executor.submit(Trial(0, {}, 0))
    until((tmp_path / "pid0").exists)
    worker = int((tmp_path / "pid0").read_text())

    slot_hosts(placement)[0].kill()
    assert [outcome.reason for outcome in executor.wait(PATIENCE)] == ["lost"]
    until(lambda: is_gone(worker))
    (tmp_path / "go").touch()

    assert one(executor, Trial(1, {}, 0)).state is State.COMPLETE
    assert placement.placed == 1


@pytest.mark.slow
def test_a_host_that_vanishes_frees_its_slot_and_takes_its_trial_along(make: Make, tmp_path: Path) -> None:
    """Of two hosts one goes for good: there is one slot less, and the sweep can go on with the other."""
    placement = ProcessPlacement()
    executor = make(lambda params, trial: 1.0, placement, slots=2)
    until(lambda: executor.slots == 2)
    placement.room = 0  # no other one

    placement.pilots[0].kill()
    until(lambda: executor.slots == 1)

    assert one(executor, Trial(0, {}, 0)).state is State.COMPLETE


@pytest.mark.slow
def test_a_cluster_that_goes_away_and_comes_back_goes_on(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    placement = ProcessPlacement()
    executor = make(holding(tmp_path), placement)
    executor.submit(Trial(0, {}, 0))
    until((tmp_path / "pid0").exists)

    placement.lose()
    assert [outcome.reason for outcome in executor.wait(PATIENCE)] == ["lost"]
    executor.submit(Trial(0, {}, 0, attempt=2))
    assert executor.wait(0.1) == []
    (tmp_path / "go").touch()
    placement.mend()

    assert [outcome.state for outcome in executor.wait(PATIENCE)] == [State.COMPLETE]


@pytest.mark.slow
def test_a_cluster_that_stays_away_is_given_up_when_patience_ends(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote_executor, "SAY_AGAIN", 0.1)
    monkeypatch.setattr(keeper, "LOOK", 0.05)
    placement = ProcessPlacement()
    executor = make(lambda params, trial: 1.0, placement, cluster=Cluster(patience=0.5))

    placement.lose()
    until(lambda: executor._crew.ready == 0)
    executor.submit(Trial(0, {}, 0))
    with pytest.raises(ClusterUnavailable, match=r"the cluster is gone for \d+ s: nobody answers"):
        executor.wait(PATIENCE)
    assert re.search(r"waiting for a host of the cluster \(\d s\): nobody answers", caplog.text)


def test_a_cluster_without_a_host_is_not_waited_for_for_ever(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_executor, "FIRST_HOST", 0.2)
    placement = ProcessPlacement()
    placement.room = 0

    with pytest.raises(ClusterUnavailable, match="no host of the cluster was ready after 0 s: its workers are busy"):
        make(lambda params, trial: 1.0, placement)


def test_a_wish_to_end_ends_the_waiting_for_the_first_host(make: Make) -> None:
    placement = ProcessPlacement()
    placement.room = 0

    executor = make(lambda params, trial: 1.0, placement, cluster=Cluster(is_over=lambda: True))

    assert executor.slots == 1


@pytest.mark.slow
def test_the_users_modules_travel_to_a_host_that_does_not_see_them(make: Make, tmp_path: Path) -> None:
    """On the way back the trial says where it was, and that its code was no file of the driver."""
    beside = tmp_path / "beside"
    (beside / "parts").mkdir(parents=True)
    (beside / "remote_train.py").write_text(
        "from parts import loss\ndef objective(params, trial):\n    return loss.of()\n"
    )
    (beside / "parts" / "loss.py").write_text(
        f"def of():\n    return {{'loss': 4.5, 'is_here': float(__file__.startswith({str(tmp_path)!r}))}}\n"
    )

    class Named:
        def __call__(self, params: Mapping[str, object], trial: TrialContext) -> Mapping[str, float]:
            import remote_train  # type: ignore[import-not-found]

            return remote_train.objective(params, trial)  # type: ignore[no-any-return]

    (tmp_path / "elsewhere").mkdir()
    placement = ProcessPlacement({"HPO_HOST": "far"}, tmp_path / "elsewhere")
    beside.rename(tmp_path / "moved")  # so that the host cannot see it where the driver does
    executor = make(Named(), placement, search_path=(str(tmp_path / "moved"),))
    outcome = one(executor, Trial(0, {}, 0))

    assert (outcome.metrics["loss"], outcome.tags) == (4.5, {"hpo.host": "far"})
    assert outcome.metrics["is_here"] == 0.0


@pytest.mark.slow
def test_what_a_far_host_lacks_is_named_with_the_host_and_the_way_out(make: Make, tmp_path: Path) -> None:
    class Lacking:
        def prepare(self) -> None:
            import only_on_the_driver  # type: ignore[import-not-found]  # noqa: F401

        def __call__(self, params: Mapping[str, object], trial: TrialContext) -> float:
            return 0.0

    with pytest.raises(ObjectiveError) as raised:
        make(Lacking(), ProcessPlacement({"HPO_HOST": "far"}))
    assert "on host far: the objective cannot get ready: ModuleNotFoundError" in str(raised.value)
    assert "only_on_the_driver" in str(raised.value)
    assert "packages installed, data files at the same path" in str(raised.value)


@pytest.mark.slow
def test_a_host_that_does_not_see_the_artifacts_is_refused(make: Make, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code = f"""
        import os, pathlib
        from hpo.executors.remote import seen
        seen._is_seen = lambda probe: not probe["path"].startswith({str(kept)!r})
    """
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "sitecustomize.py").write_text(textwrap.dedent(code))
    placement = ProcessPlacement({"PYTHONPATH": str(tmp_path / "blind"), "HPO_HOST": "far"})

    with pytest.raises(ConfigError, match=rf"host far does not see {kept}, where trials keep .*s3://"):
        make(lambda params, trial: 0.0, placement, cluster=Cluster(artifacts=kept))
    assert list(kept.iterdir()) == []


@pytest.mark.slow
def test_a_host_that_cannot_reach_the_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    report = PilotReport.parse(pilot.run(_errand("127.0.0.1", 9)))

    assert report.kind == UNREACHABLE
    assert "cannot reach the driver at 127.0.0.1:9 " in report.text
    assert "set parallel.listen" in report.text


def _errand(address: str, port: int) -> str:
    return json.dumps(Errand(address, port, b"k" * 32, 1.0).facts)


@pytest.mark.slow
def test_where_hpo_is_missing_no_slot_host_stays_alive_and_the_pilot_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pilot, "TRIES", 2)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    report = PilotReport.parse(pilot.run(_errand("127.0.0.1", 9)))

    assert report.kind == LOST
    assert "no slot host stays alive: it ended with 1" in report.text


@pytest.mark.slow
def test_hosts_die_with_their_driver_and_so_do_their_trials(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys, time
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from process_placement import ProcessPlacement
from hpo.executors.limits import Limits
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.remote_executor import RemoteExecutor
from hpo.executors.remote.sent_pilot import sent_pilot
from hpo.executors.work import Work
from hpo.trial import Goal, Trial
import psutil
def objective(params, trial):
    import subprocess
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path({str(tmp_path / "pids")!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
    time.sleep(1000)
placement = ProcessPlacement()
work = Work(objective, "m", Goal.MINIMIZE, None, Path({str(tmp_path / "scratch")!r}))
executor = RemoteExecutor(work, slots=1, limits=Limits(), placement=placement, cluster=Cluster())
executor.submit(Trial(0, {{}}, 0))
while not Path({str(tmp_path / "pids")!r}).exists(): time.sleep(0.01)
pids = [placement.pilots[0].pid, *(child.pid for child in psutil.Process(placement.pilots[0].pid).children())]
Path({str(tmp_path / "more")!r}).write_text(" ".join(map(str, pids)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    pids = [int(pid) for name in ("pids", "more") for pid in (tmp_path / name).read_text().split()]

    assert len(pids) == 4
    until(lambda: all(map(is_gone, pids)))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("10.0.0.5", ("10.0.0.5", 0)), ("head:9700", ("head", 9700)), ("[::1]:80", ("::1", 80)), ("[::1]", ("::1", 0)),
    ],
)  # fmt: skip
def test_an_address_to_listen_at_is_a_host_and_perhaps_a_port(text: str, place: tuple[str, int]) -> None:
    assert listen_at(text) == place


@pytest.mark.parametrize("text", ["", ":80", "::1", "a:b", "a:70000", "http://a:80", "a b"])
def test_what_is_no_address_to_listen_at_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"parallel\.listen must be HOST or HOST:PORT"):
        listen_at(text)


def test_reports_of_pilots_survive_the_way() -> None:
    report = PilotReport(REFUSED, "ü: why")

    assert PilotReport.parse(report.json) == report
    assert PilotReport.parse("nonsense").kind == LOST
    assert PilotReport.parse(None).kind == LOST


def test_a_pilot_that_is_lost_again_and_again_is_placed_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeper.Keeper, "_run", lambda self: None)

    class Losing:
        def __init__(self) -> None:
            self.placed: list[float] = []

        def place(self, errand: str, count: int) -> None:
            self.placed.append(now[0] - 1000)

        def ended(self) -> list[PilotReport]:
            return [PilotReport(LOST)]

    placement = Losing()
    keeping = keeper.Keeper(placement, "", 1, lambda text: None)  # type: ignore[arg-type]
    for _ in range(60):
        if keeping._missing and now[0] >= keeping._next:
            keeping._place()
        if keeping._placed:
            keeping._look(keeping._take)
        now[0] += 1.0

    assert placement.placed == [0, 1, 2, 4, 8, 16, 32]
    assert not keeping.has_given_up


def test_what_goes_wrong_in_a_pilot_is_a_report_and_nothing_that_a_cluster_would_log_with_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_processes(errand: str) -> str:
        raise OSError("no more processes")

    monkeypatch.setattr(pilot, "run", no_processes)
    report = PilotReport.parse(sent_pilot()('{"key": "00"}'))

    assert report.kind == LOST
    assert report.text.endswith(": no slot host can be started: OSError: no more processes")
    assert "key" not in report.text


def test_a_drivers_folder_that_a_host_may_not_look_at_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scratch, out_of_reach = tmp_path / "scratch", "/" + 300 * "x"  # which is an error as one without permission is
    scratch.mkdir()
    work = Work(abs, "loss", Goal.MINIMIZE, None, tmp_path, search_path=[out_of_reach])  # type: ignore[arg-type]
    setup = {"cwd": out_of_reach, "is_elsewhere": True}

    there = slot_host.work_here(setup, (cloudpickle.dumps(work), pack([])), scratch)

    assert (there.search_path, there.scratch, Path.cwd()) == ((), scratch, scratch)


class OneHost:
    """A cluster of nobody: who comes, comes by itself."""

    address = "127.0.0.1"

    def __init__(self) -> None:
        self.errands: list[Errand] = []

    def place(self, errand: str, count: int) -> None:
        self.errands.append(Errand.of(json.loads(errand)))

    def ended(self) -> list[PilotReport]:
        return []

    def close(self) -> None:
        pass


def test_a_host_that_offers_its_slot_twice_is_given_up(make: Make) -> None:
    """Else it would be sent two trials at once, and the first would be waited for for ever."""
    placement, said = OneHost(), queue.SimpleQueue[str]()

    def pretend() -> None:
        until(lambda: placement.errands)
        me = Identity.here()
        end, _ = connect(placement.errands[0], me)
        end.send("hello", **me.facts, sees={"driver": True})
        assert (end.receive()["say"], len(end.receive_bytes()) > 0, end.receive_bytes()) == ("setup", True, b"")
        end.send("ready", problem="")
        said.put(str(end.receive()["say"]))
        end.send("ready", problem="")
        try:
            end.receive()
        except (EOFError, OSError) as error:
            said.put(type(error).__name__)
        end.close()

    host = threading.Thread(target=pretend)
    host.start()
    executor = make(lambda params, trial: 1.0, placement, slots=2)
    executor.submit(Trial(0, {}, 0))
    (lost,) = executor.wait(PATIENCE)
    host.join()

    assert (lost.reason, said.get()) == ("lost", "trial")
    assert said.get() in ("EOFError", "ConnectionResetError")
