"""A sweep's host dies, or is cut off: another host takes the sweep over, and who comes back is fenced off.

Hosts and their network are Linux namespaces: names, boot ids and cables are real to the processes there. The store is
a PostgreSQL server, the files lie in S3; both can be reached by the hosts' network alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store
from trackers.records import Query

pytestmark = pytest.mark.slow
Wait = Callable[..., None]
COUNT = 6
LEASE = "3"
NAME = "faults"
S3_PORT = 5000
SERVER = "10.77.0.1"


@dataclass
class Team:
    """Servers, hosts, and the folder of a sweep that all hosts mount; `uri` is the store as this process reaches it."""

    network: Any
    folder: Any
    uri: str
    tracker: str
    hosts: dict[str, Any] = field(default_factory=dict)

    def start(self, host: str, verb: str, *words: str, **environment: str) -> Any:
        """`hpo VERB WORDS` on that host, which joins the network if it has not yet."""
        if host not in self.hosts:
            self.hosts[host] = self.network.host(host)
        there = self.hosts[host]
        # a server that cannot be reached is noticed in seconds instead of a minute
        patience = {"HPO_LEASE": LEASE, "HPO_ARTIFACTS_TIMEOUT": "2", "HPO_ARTIFACTS_RETRIES": "2"}
        s3 = {
            "AWS_ACCESS_KEY_ID": "AKIANOBODY",
            "AWS_SECRET_ACCESS_KEY": "S3CRETkeyofnobody",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://{SERVER}:{S3_PORT}",
        }
        every = {"HPO_TRACKER": self.tracker, **s3, **patience, **there.environment, **environment}
        return self.folder.start(verb, *words, environment=every, inside=there.inside)

    def is_owned(self) -> bool:
        with open_store(self.uri, read_only=True) as store:
            return store.ownership.holder(self.folder.sweep().id) is not None

    def on_record(self) -> object:
        """All that a driver which lost the sweep must not change."""
        with open_store(self.uri, read_only=True) as store:
            parent = store.tracker.find(Query(sweeps=True))
            trials = store.tracker.find(Query(parent=parent[0].id))
            return parent, trials, [store.tracker.artifacts(run.id) for run in trials]


@contextlib.contextmanager
def object_store(network: Any, folder: Path) -> Iterator[None]:
    """S3 among the servers, with an empty bucket."""
    with network.among_servers(), (folder / "s3.log").open("wb") as log:
        command = [sys.executable, "-m", "moto.server", "-H", SERVER, "-p", str(S3_PORT)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    request = urllib.request.Request(f"http://{SERVER}:{S3_PORT}/artifacts", method="PUT")
                    urllib.request.urlopen(request, timeout=30).close()
                    break
                time.sleep(0.1)
        except BaseException:
            process.kill()
            raise
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def database(network: Any) -> Iterator[Any]:
    """PostgreSQL among the servers."""
    postgres = sys.modules["postgres_server"]
    with tempfile.TemporaryDirectory(prefix="hpo-pg-") as folder, network.among_servers():
        settings = (*postgres.ASLEEP, *postgres.CARELESS, "-c", f"listen_addresses={SERVER}")
        server = postgres.PostgresServer(Path(folder), settings)
        server.initialize()
        with (Path(folder) / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 scram-sha-256\n")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def team(network: Any, new_folder: Callable[..., Any], tmp_path: Path) -> Iterator[Team]:
    with database(network) as server, object_store(network, tmp_path):
        uri = server.uri("postgres")
        folder = new_folder("sweep", uri)
        folder.write(
            objective={"python": "fault_objective:with_model"},
            parallel={"n_jobs": 2, "backend": "loky"},
            tracker={"artifacts": "s3://artifacts/team", "log_models": "best"},
        )
        with_password = server.uri_with_password("postgres").replace("127.0.0.1", SERVER)
        yield Team(network, folder, uri, f"{with_password}?connect_timeout=2&tcp_user_timeout=2000")
        folder.end_all()


def both_held(team: Team) -> bool:
    return bool(team.folder.held(2) and team.folder.held(3))


def is_whole(team: Team, attempts: dict[int, int]) -> None:
    """All trials ended once, in their first attempt, or in the one given for their number; files lie in S3."""
    assert team.folder.states() == ["COMPLETE"] * COUNT
    expected = [(number, attempts.get(number, 1)) for number in range(COUNT)]
    assert [(trial.number, trial.attempt) for trial in team.folder.trials()] == expected
    assert not team.is_owned()
    with open_store(team.uri, read_only=True) as store:
        kept = [run for run in store.tracker.find(Query(parent=team.folder.sweep().id)) if run.models]
        assert kept
        assert all(run.artifact_uri.startswith("s3://artifacts/team/") for run in kept)


def kill_all_on(team: Team, driver: Any) -> None:
    """As the power of its host: nothing there has time for a word."""
    os.killpg(driver.pid, signal.SIGKILL)
    driver.process.wait(60)


def test_a_host_that_dies_is_followed_from_another_one_after_a_lease(team: Team, wait_for: Wait) -> None:
    """F1, G2: the sweep goes on where it was, the open trials run once more, finished ones do not."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml")
    wait_for(lambda: both_held(team))
    team.hosts["ada"].cut()
    kill_all_on(team, ada)
    team.folder.release(2, 3)
    bob = team.start("bob", "resume", NAME)
    assert bob.wait() == 0, bob.stderr
    assert f"reclaimed 2 trials of dead driver pid {ada.pid} on host ada" in bob.stderr
    is_whole(team, {2: 2, 3: 2})
    team.hosts["ada"].boot()
    team.hosts["ada"].heal()
    before = team.on_record()
    again = team.start("ada", "resume", NAME)
    assert again.wait() == 0, again.stderr
    assert team.on_record() == before


def test_a_host_that_dies_in_the_middle_of_a_write_holds_its_sweep_for_half_a_minute_at_most(
    team: Team, wait_for: Wait
) -> None:
    """F1, F12: the server has not heard that it is gone, and waits for its COMMIT."""
    gate = team.folder.path / "gate"
    ada = team.start("ada", "run", "sweep.yaml", HPO_FAILPOINT=f"store.before_commit:wait:{gate}:4")
    wait_for(Path(f"{gate}.reached").exists)
    team.hosts["ada"].cut()
    kill_all_on(team, ada)
    bob = team.start("bob", "resume", NAME)
    assert bob.wait(120) == 0, bob.stderr
    assert team.folder.states() == ["COMPLETE"] * COUNT
    assert [trial.number for trial in team.folder.trials()] == list(range(COUNT))
    assert not team.is_owned()


def test_a_host_that_was_cut_off_and_comes_back_finds_its_sweep_taken_over(team: Team, wait_for: Wait) -> None:
    """F16: its driver and workers live all the time; what they finished meanwhile is refused."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml")
    wait_for(lambda: both_held(team))
    team.hosts["ada"].cut()
    bob = team.start("bob", "run", "sweep.yaml")
    wait_for(lambda: team.folder.executions("start").get(3) == 2)
    assert f"is held by pid {ada.pid} on host ada" in bob.stderr or "reclaimed 2 trials" in bob.stderr
    team.folder.release(2, 3)
    assert bob.wait() == 0, bob.stderr
    assert f"reclaimed 2 trials of dead driver pid {ada.pid} on host ada" in bob.stderr
    is_whole(team, {2: 2, 3: 2})
    before = team.on_record()
    team.hosts["ada"].heal()
    assert ada.wait() == 6, ada.stderr
    assert "superseded by" in ada.stderr
    assert "Traceback" not in ada.stderr
    assert team.on_record() == before


def test_what_a_host_kept_aside_while_another_one_took_over_changes_nothing(team: Team, wait_for: Wait) -> None:
    """G4, G10: its patience ended before it was connected again."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml", HPO_STORE_RETRY_FOR="1")
    wait_for(lambda: both_held(team))
    team.hosts["ada"].cut()
    team.folder.release(2, 3)
    assert ada.wait() == 75, ada.stderr
    assert "is kept in" in ada.stderr
    bob = team.start("bob", "resume", NAME)
    assert bob.wait() == 0, bob.stderr
    is_whole(team, {2: 2, 3: 2})
    before = team.on_record()
    team.hosts["ada"].heal()
    again = team.start("ada", "resume", NAME)
    assert again.wait() == 0, again.stderr
    assert team.on_record() == before


def test_a_network_that_is_gone_for_longer_than_the_lease_costs_nothing_if_nobody_takes_over(
    team: Team, wait_for: Wait
) -> None:
    """F13: the driver is as good as dead for everybody else, and goes on."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml", HPO_LEASE="1")
    wait_for(lambda: both_held(team))
    team.hosts["ada"].cut()
    wait_for(lambda: "store unreachable, retrying" in ada.stderr or age_of(team) > 2)
    team.hosts["ada"].heal()
    team.folder.release(2, 3)
    assert ada.wait() == 0, ada.stderr
    is_whole(team, {})
    assert team.folder.executions() == dict.fromkeys(range(COUNT), 1)


def test_a_host_that_was_started_anew_goes_on_at_once(team: Team, wait_for: Wait) -> None:
    """F18: by its boot id it knows that the driver is dead; nobody waits for a lease of an hour."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml", HPO_LEASE="3600")
    wait_for(lambda: both_held(team))
    kill_all_on(team, ada)
    team.hosts["ada"].boot()
    team.folder.release(2, 3)
    again = team.start("ada", "resume", NAME, HPO_LEASE="3600")
    assert again.wait() == 0, again.stderr
    assert "watching" not in again.stderr
    is_whole(team, {2: 2, 3: 2})


def test_two_hosts_that_both_want_the_sweep_of_a_dead_one_do_not_both_get_it(team: Team, wait_for: Wait) -> None:
    """F15."""
    team.folder.hold(2, 3)
    ada = team.start("ada", "run", "sweep.yaml")
    wait_for(lambda: both_held(team))
    team.hosts["ada"].cut()
    kill_all_on(team, ada)
    drivers = [team.start(name, "resume", NAME) for name in ("bob", "cleo")]
    wait_for(lambda: any(driver.has_ended for driver in drivers))
    [loser] = [driver for driver in drivers if driver.has_ended]
    [winner] = [driver for driver in drivers if driver is not loser]
    assert loser.wait() == 5, loser.stderr
    assert f"is run by pid {winner.pid} on host" in loser.stderr
    team.folder.release(2, 3)
    assert winner.wait() == 0, winner.stderr
    is_whole(team, {2: 2, 3: 2})


def age_of(team: Team) -> float:
    with open_store(team.uri, read_only=True) as store:
        holder = store.ownership.holder(team.folder.sweep().id)
        return (holder.age or 0.0) if holder else 0.0


@pytest.fixture
def alone(new_host: Callable[[str], Any], sweep_folder: Any) -> Callable[..., Any]:
    """`alone(host, verb, ..)`: `hpo VERB ..` on a host whose folder, with an SQLite store, all have."""
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "loky"})
    hosts: dict[str, Any] = {}

    def start(name: str, *words: str, boots: bool = False, **environment: str) -> Any:
        if name not in hosts:
            hosts[name] = new_host(name)
        there = hosts[name]
        if boots:
            there.boot()
        return sweep_folder.start(*words, environment={**there.environment, **environment}, inside=there.inside)

    return start


def test_a_machine_with_a_sqlite_store_that_was_started_anew_goes_on_at_once(
    alone: Callable[..., Any], sweep_folder: Any, wait_for: Wait
) -> None:
    """F18."""
    sweep_folder.hold(2, 3)
    first = alone("ada", "run", "sweep.yaml", HPO_LEASE="3600")
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3))
    os.killpg(first.pid, signal.SIGKILL)
    first.process.wait(60)
    sweep_folder.release(2, 3)
    again = alone("ada", "resume", NAME, boots=True, HPO_LEASE="3600")
    assert again.wait() == 0, again.stderr
    assert f"reclaimed 2 trials of dead driver pid {first.pid} on host ada" in again.stderr
    assert [trial.attempt for trial in sweep_folder.trials()] == [1, 1, 2, 2, 1, 1]
    assert sweep_folder.states() == ["COMPLETE"] * COUNT


def test_a_container_with_a_sqlite_store_is_followed_by_another_one_after_a_lease(
    alone: Callable[..., Any], sweep_folder: Any, wait_for: Wait
) -> None:
    """F1: names of hosts differ, so nobody can see whether the first one lives; its heart stands still."""
    sweep_folder.hold(2, 3)
    first = alone("ada", "run", "sweep.yaml", HPO_LEASE=LEASE)
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3))
    os.killpg(first.pid, signal.SIGSTOP)
    second = alone("bob", "run", "sweep.yaml", HPO_LEASE=LEASE)
    wait_for(lambda: sweep_folder.executions("start").get(3) == 2)
    sweep_folder.release(2, 3)
    assert second.wait() == 0, second.stderr
    assert "watching for 3 s whether it lives" in second.stderr
    before = sweep_folder.trials(), sweep_folder.sweep()
    os.killpg(first.pid, signal.SIGCONT)
    assert first.wait() == 6, first.stderr
    assert (sweep_folder.trials(), sweep_folder.sweep()) == before
    assert [trial.attempt for trial in sweep_folder.trials()] == [1, 1, 2, 2, 1, 1]
