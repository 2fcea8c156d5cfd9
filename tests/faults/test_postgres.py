"""A store on a PostgreSQL server: the server goes, connections are cut, drivers die, and several hosts share it."""

import json
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store
from trackers.records import Query

Wait = Callable[..., None]
ONCE = dict.fromkeys(range(6), 1)
SLOW = pytest.mark.slow
SECRET = "S3CRET"


@pytest.fixture(scope="module")
def unsteady() -> Iterator[Any]:
    """A server of its own, for tests that stop it."""
    with sys.modules["postgres_server"].running_server() as server:
        yield server


@pytest.fixture
def proxy(unsteady: Any) -> Iterator[Any]:
    cutting = sys.modules["postgres_server"].CuttingProxy(unsteady.port)
    yield cutting
    cutting.close()


@pytest.fixture
def folder(new_folder: Callable[..., Any], unsteady: Any) -> Iterator[Any]:
    """The standard sweep on an empty database of the unsteady server."""
    name = unsteady.create()
    made = new_folder("sweep", unsteady.uri_with_password(name))
    yield made
    made.end_all()
    unsteady.drop(name)


@pytest.fixture
def shared(new_folder: Callable[..., Any], new_postgres_uri: Callable[[], str]) -> Iterator[Callable[[str], Any]]:
    """Folders of several users whose sweeps go into one database."""
    uri, made = new_postgres_uri(), []

    def make(name: str) -> Any:
        made.append(new_folder(name, uri))
        return made[-1]

    yield make
    for one in made:
        one.end_all()


def is_whole(folder: Any) -> None:
    """As if nothing had happened: each trial ran once and is on record once."""
    assert folder.states() == ["COMPLETE"] * 6
    assert [(trial.number, trial.attempt) for trial in folder.trials()] == [(number, 1) for number in range(6)]
    assert folder.executions() == ONCE
    with open_store(folder.uri, read_only=True) as store:
        [parent] = store.tracker.find(Query(sweeps=True))
        assert parent.status == "FINISHED"
        assert store.ownership.holder(parent.id) is None
        for run in store.tracker.find(Query(parent=parent.id)):
            assert len(store.tracker.history(run.id)) == 1


def test_a_driver_waits_for_a_server_that_went_away_and_says_so(folder: Any, unsteady: Any, wait_for: Wait) -> None:
    """F13: the server is killed, as by a crash, and comes back."""
    folder.hold(2)
    driver = folder.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(2))
    unsteady.stop()
    folder.release(2)
    wait_for(lambda: "store unreachable, retrying (" in driver.stderr)
    unsteady.start()
    assert driver.wait() == 0, driver.stderr
    assert "the store is back: reconnected after" in driver.stderr
    assert SECRET not in driver.stderr + driver.stdout
    is_whole(folder)


def test_a_restart_of_the_server_between_two_trials_costs_nothing(folder: Any, unsteady: Any, wait_for: Wait) -> None:
    """F13: what was acknowledged is there after the crash, though this server is set to acknowledge early."""
    folder.hold(1, 3)
    driver = folder.start("run", "sweep.yaml")
    for number in (1, 3):
        wait_for(lambda number=number: folder.held(number))
        unsteady.restart()
        assert folder.states() == ["COMPLETE"] * number + ["RUNNING"]
        folder.release(number)
    assert driver.wait() == 0, driver.stderr
    is_whole(folder)


def test_connections_that_the_server_ends_cost_nothing(folder: Any, unsteady: Any, wait_for: Wait) -> None:
    """F13: by pg_terminate_backend."""
    folder.write(parallel={"n_jobs": 2, "backend": "threading"})
    folder.hold(2, 4)
    driver = folder.start("run", "sweep.yaml")
    ended = 0
    for number in (2, 4):
        wait_for(lambda number=number: folder.held(number))
        ended += unsteady.end_connections(folder.uri.rpartition("/")[2])
        folder.release(number)
    assert ended > 0
    assert driver.wait() == 0, driver.stderr
    is_whole(folder)


REGISTERING = {
    "objective": {"python": "fault_objective:with_model"},
    "tracker": {"log_models": "best"},
    "register": {"name": "model", "better_than": "champion", "test": "judging:score"},
}


def ask_for_a_winner(folder: Any) -> Path:
    """Writes a sweep whose winner takes the champion's place; what lets it be registered, once it is there."""
    (folder.path / "judging.py").write_text("def score(model):\n    return 0.5\n")
    folder.write(**REGISTERING)
    place: Path = folder.path / "asked"
    return place


def registered_once(folder: Any) -> bool:
    with open_store(folder.uri, read_only=True) as store:
        found = [(version.version, version.aliases) for version in store.registry.versions()]
        return found == [(1, ["champion"])] and len(store.registry.history("model")) == 2


@pytest.mark.slow
def test_a_server_that_goes_away_while_a_winner_is_registered_is_waited_for(
    folder: Any, unsteady: Any, wait_for: Wait
) -> None:
    """F13, F25."""
    place = ask_for_a_winner(folder)
    driver = folder.start("run", "sweep.yaml", environment={"HPO_FAILPOINT": f"register.asked:wait:{place}:1"})
    wait_for(Path(f"{place}.reached").exists)
    unsteady.stop()
    place.touch()
    wait_for(lambda: "store unreachable, retrying (" in driver.stderr)
    unsteady.start()
    assert driver.wait() == 0, driver.stderr
    assert registered_once(folder)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [1, 3, 4])
def test_a_registration_whose_answer_is_lost_again_and_again_is_found_to_be_done(
    new_folder: Callable[..., Any], unsteady: Any, proxy: Any, wait_for: Wait, lost: int
) -> None:
    """F13, F25: the store itself repeats twice, then the driver does, who must not fall over its own alias."""
    name = unsteady.create()
    folder = new_folder("sweep", unsteady.uri_with_password(name, port=proxy.port))
    place = ask_for_a_winner(folder)
    driver = folder.start("run", "sweep.yaml", environment={"HPO_FAILPOINT": f"register.asked:wait:{place}:1"})
    wait_for(Path(f"{place}.reached").exists)
    proxy.cut_commits(lost)
    place.touch()
    assert driver.wait() == 0, driver.stderr
    assert proxy.cut == lost
    assert registered_once(folder)
    folder.end_all()
    unsteady.drop(name)


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("nth", [*range(9), *(pytest.param(nth, marks=SLOW) for nth in range(9, 18))])
def test_a_commit_whose_answer_is_lost_costs_nothing(
    new_folder: Callable[..., Any], unsteady: Any, proxy: Any, zygote: Any, nth: int
) -> None:
    """F13: the connection is cut right after the COMMIT was sent, each of them in turn: claim, start, every trial."""
    name = unsteady.create()
    folder = new_folder("sweep", unsteady.uri_with_password(name, port=proxy.port))
    proxy.cut_commits(after=nth + 1)  # the first one makes the tables, before there is a driver
    ended = zygote.hpo(folder.path, "run", "sweep.yaml", environment=folder.tracker)
    assert ended.code == 0, ended.stderr
    is_whole(folder)
    assert proxy.cut == (1 if proxy.commits > nth + 1 else 0)
    unsteady.drop(name)


def test_a_server_that_stays_away_ends_the_driver_and_nothing_is_lost(
    folder: Any, unsteady: Any, wait_for: Wait
) -> None:
    """F13, G10: what ended is kept aside, and is on record after the next resume."""
    folder.hold(2)
    driver = folder.start("run", "sweep.yaml", environment={"HPO_STORE_RETRY_FOR": "0.5"})
    wait_for(lambda: folder.held(2))
    unsteady.stop()
    try:
        folder.release(2)
        assert driver.wait() == 75
    finally:
        unsteady.start()
    assert driver.stderr.splitlines()[-1].endswith(", then: hpo resume faults")
    assert "cannot be reached" in driver.stderr
    again = folder.hpo("resume", "faults")
    assert again.wait() == 0, again.stderr
    assert "1 result that the store had refused before" in again.stderr
    assert SECRET not in driver.stderr + again.stderr + again.stdout
    assert folder.states() == ["COMPLETE"] * 6
    assert folder.executions() == ONCE


def test_a_driver_without_a_server_ends_at_once_and_names_the_way_out(folder: Any) -> None:
    """F13, F26."""
    for wrong, said in (("127.0.0.1:1/", "see that the server runs there"), (None, "make it first: createdb")):
        uri = folder.server.replace(folder.server.split("@")[1].split("/")[0] + "/", wrong) if wrong else ""
        uri = uri or folder.server.rpartition("/")[0] + "/nowhere"
        driver = folder.hpo("run", "sweep.yaml", environment={"HPO_TRACKER": uri})
        assert driver.wait() == 75
        assert said in driver.stderr
        assert "Traceback" not in driver.stderr
        assert SECRET not in driver.stderr


def test_a_killed_driver_is_followed_at_once_on_its_own_host(folder: Any, wait_for: Wait) -> None:
    """F1."""
    folder.hold(2)
    first = folder.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(2))
    first.kill9()
    folder.release(2)
    second = folder.hpo("resume", "faults")
    assert second.wait() == 0, second.stderr
    assert f"reclaimed 1 trial of dead driver pid {first.pid}" in second.stderr
    assert [trial.attempt for trial in folder.trials()] == [1, 1, 2, 1, 1, 1]
    assert folder.executions() == ONCE


@pytest.mark.slow
def test_a_driver_that_is_dead_for_a_lease_is_followed_from_another_host_without_watching(
    folder: Any, wait_for: Wait
) -> None:
    """F1: the server's clock has counted the time already."""
    folder.hold(2)
    first = folder.start("run", "sweep.yaml", host="ada")
    wait_for(lambda: folder.held(2))
    first.kill9()
    folder.release(2)
    parent = folder.sweep()

    def age() -> float:
        with open_store(folder.uri, read_only=True) as store:
            held = store.ownership.holder(parent.id)
            assert held is not None
            return held.age or 0.0

    wait_for(lambda: age() >= 1)
    second = folder.hpo("run", "sweep.yaml", environment={"HPO_LEASE": "1"}, host="bob")
    assert second.wait() == 0, second.stderr
    assert "watching" not in second.stderr
    assert f"reclaimed 1 trial of dead driver pid {first.pid} on host ada" in second.stderr
    assert folder.states() == ["COMPLETE"] * 6


@pytest.mark.slow
def test_a_driver_that_died_a_moment_ago_is_followed_from_another_host_after_a_lease(
    folder: Any, wait_for: Wait
) -> None:
    """F1, and F17: neither host's own clock is asked."""
    folder.hold(2)
    first = folder.start("run", "sweep.yaml", host="ada")
    wait_for(lambda: folder.held(2))
    first.kill9()
    folder.release(2)
    second = folder.hpo("run", "sweep.yaml", environment={"HPO_LEASE": "5"}, host="bob")
    assert second.wait() == 0, second.stderr
    assert folder.states() == ["COMPLETE"] * 6


@pytest.mark.slow
def test_a_living_driver_on_another_host_is_not_followed(folder: Any, wait_for: Wait) -> None:
    """F15."""
    folder.hold(2)
    first = folder.start("run", "sweep.yaml", host="ada", environment={"HPO_LEASE": "2"})
    wait_for(lambda: folder.held(2))
    second = folder.hpo("run", "sweep.yaml", host="bob", environment={"HPO_LEASE": "600"})
    assert second.wait() == 5
    assert f"is run by pid {first.pid} on host ada" in second.stderr
    folder.release(2)
    assert first.wait() == 0, first.stderr
    is_whole(folder)


@pytest.mark.slow
def test_a_driver_that_was_frozen_and_taken_over_wakes_up_to_nothing(folder: Any, wait_for: Wait) -> None:
    """F16."""
    folder.hold(2)
    first = folder.start("run", "sweep.yaml")
    wait_for(lambda: folder.held(2))
    first.send(signal.SIGSTOP)
    second = folder.start("run", "sweep.yaml", "--takeover")
    wait_for(lambda: folder.executions("start").get(2) == 2)
    folder.release(2)
    assert second.wait() == 0, second.stderr
    before = folder.trials(), folder.sweep()
    first.send(signal.SIGCONT)
    assert first.wait() == 6, first.stderr
    assert "superseded by" in first.stderr
    assert "Traceback" not in first.stderr
    assert (folder.trials(), folder.sweep()) == before
    assert [trial.attempt for trial in folder.trials()] == [1, 1, 2, 1, 1, 1]


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=SLOW)])
def test_of_several_hosts_that_start_one_sweep_in_an_empty_database_exactly_one_runs_it(
    folder: Any, wait_for: Wait, count: int
) -> None:
    """F15: all of them have seen an empty store before the first one puts the sweep on record."""
    folder.hold(0)
    gates = [folder.path / f"gate-{number}" for number in range(count)]
    drivers = [
        folder.start(
            "run", "sweep.yaml", host=f"host-{number}",
            environment={"HPO_FAILPOINT": f"parent.before_commit:wait:{gate}:1", "HPO_LEASE": "4"},
        )
        for number, gate in enumerate(gates)
    ]  # fmt: skip
    wait_for(lambda: all(Path(f"{gate}.reached").exists() for gate in gates))
    for gate in gates:
        gate.touch()
    wait_for(lambda: sum(driver.process.poll() is None for driver in drivers) == 1)
    wait_for(lambda: folder.held(0))
    [winner] = [driver for driver in drivers if driver.process.poll() is None]
    losers = [driver for driver in drivers if driver is not winner]
    assert [driver.wait() for driver in losers] == [5] * (count - 1), [driver.stderr for driver in losers]
    host = f"host-{drivers.index(winner)}"
    for loser in losers:
        assert f"is run by pid {winner.pid} on host {host} since 20" in loser.stderr
    folder.release(0)
    assert winner.wait() == 0, winner.stderr
    is_whole(folder)


@pytest.mark.slow
def test_sweeps_of_several_hosts_run_into_one_database_at_once(shared: Callable[[str], Any], wait_for: Wait) -> None:
    """Each with numbers, budget and names of its own; none waits for the other."""
    folders = [shared(name) for name in ("ada", "bob")]
    for one in folders:
        one.write(name=one.path.name, budget={"n_trials": 12}, experiment=one.path.name)
        one.hold(3)
    drivers = [one.start("run", "sweep.yaml", host=one.path.name) for one in folders]
    for one in folders:
        wait_for(lambda one=one: one.held(3))
        one.release(3)
    assert [driver.wait() for driver in drivers] == [0, 0], [driver.stderr for driver in drivers]
    for one in folders:
        assert [trial.number for trial in one.trials(one.path.name)] == list(range(12))
        assert one.states(one.path.name) == ["COMPLETE"] * 12
        assert one.executions() == dict.fromkeys(range(12), 1)


@pytest.mark.slow
def test_every_verb_takes_a_server_and_none_prints_its_password(folder: Any, zygote: Any) -> None:
    def hpo(*arguments: str, **environment: str) -> Any:
        said = zygote.hpo(folder.path, *arguments, environment={**folder.tracker, **environment})
        assert SECRET not in said.stdout + said.stderr, arguments
        return said

    nothing = hpo("ls")
    assert (nothing.code, "no store at postgresql+psycopg://postgres:***@" in nothing.stderr) == (1, True)
    assert "none yet at" in hpo("doctor").stdout
    assert hpo("run", "sweep.yaml").code == 0
    verbs = [
        ["ls"],
        ["show", "faults"],
        ["show", "faults#2"],
        ["best", "faults", "-f", "json"],
        ["trials", "faults", "--where", "params.x < 2"],
        ["export", "faults", "-o", "trials.csv"],
        ["doctor"],
        ["resume", "faults"],
        ["models"],
    ]
    for verb in verbs:
        assert (verb, hpo(*verb).code) == (verb, 0)
        assert (verb, hpo(*verb, "--tracker", folder.server, HPO_TRACKER="").code) == (verb, 0)
    findings = json.loads(hpo("doctor", "-f", "json").stdout)
    found = {finding["check"]: finding for finding in findings}
    assert found["store"]["state"] == "ok"
    assert re.search(r"PostgreSQL 18\.\d+, answers in [\d.]+ ms", found["store server"]["detail"])
    assert str(len(json.loads(hpo("trials", "faults", "-f", "json").stdout))) == "6"
