"""Several people on hosts of their own search at once, into one database and one object store that were empty."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store
from trackers.records import Query

pytestmark = pytest.mark.slow
Wait = Callable[..., None]
PEOPLE = ("ada", "ben", "cleo", "dan", "eva", "fay")
COUNT = 8
SHARED = "everybodys"
JUDGE = """
def score(model):
    return {"loss": (float(model.predict([[0.0]])[0]) - 0.3) ** 2}
"""


@dataclass
class Person:
    """Somebody with a host, a home and a folder; what they start says whose connections it holds."""

    host: Any
    folder: Any
    environment: dict[str, str]

    def start(self, *words: str) -> Any:
        return self.folder.start(*words, environment=self.environment, inside=self.host.inside)


@dataclass
class Team:
    """The store of all, and the people."""

    server: Any
    database: str
    files: str
    person: Callable[[str], Person]

    @property
    def uri(self) -> str:
        return str(self.server.uri(self.database))

    def connections(self) -> dict[str, int]:
        """How many each person holds."""
        asked = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = %s GROUP BY 1"
        with self.server.connect() as connection:
            return dict(connection.execute(asked, [self.database]).fetchall())

    def deadlocks(self) -> int:
        with self.server.connect() as connection:
            asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
            return int(connection.execute(asked, [self.database]).fetchone()[0])


@pytest.fixture
def team(
    postgres: Any, s3_server: Any, new_host: Callable[[str], Any], new_folder: Callable[..., Any], tmp_path: Path
) -> Iterator[Team]:
    database, folders = postgres.create(), []
    files = f"s3://artifacts/{tmp_path.name}"

    def person(name: str) -> Person:
        host, folder = new_host(name), new_folder(name, postgres.uri(database))
        folders.append(folder)
        (folder.path / "judging.py").write_text(JUDGE)
        tracker = {"HPO_TRACKER": f"{postgres.uri(database)}&application_name={name}"}
        return Person(host, folder, {**tracker, **s3_server.environment, **host.environment})

    yield Team(postgres, database, files, person)
    for folder in folders:
        folder.end_all()
    postgres.drop(database)


def write(person: Person, name: str, team: Team, *, seed: int, **register: object) -> None:
    person.folder.write(
        name=name,
        objective={"python": "fault_objective:with_model"},
        engine={"name": "optuna", "sampler": "random", "seed": seed},
        budget={"n_trials": COUNT},
        parallel={"n_jobs": 2, "backend": "threading"},
        tracker={"artifacts": team.files, "log_models": "best"},
        register={"name": "shared", **register},
    )


def check_each(team: Team, names: Any) -> None:
    """Exact budgets, every trial once, every sweep ended and given back."""
    with open_store(team.uri, read_only=True) as store:
        parents = store.tracker.find(Query(sweeps=True, roots=True))
        assert sorted(parent.name for parent in parents) == sorted(names)
        for parent in parents:
            trials = [run.trial for run in store.tracker.find(Query(parent=parent.id)) if run.trial]
            assert sorted((trial.number, trial.attempt, str(trial.state)) for trial in trials) == [
                (number, 1, "COMPLETE") for number in range(COUNT)
            ], parent.name
            assert parent.status == "FINISHED"
            assert store.ownership.holder(parent.id) is None


def test_six_people_search_at_once_and_the_best_of_their_models_is_the_champion(team: Team, wait_for: Wait) -> None:
    """F15, G9: everybody has to beat a champion that somebody else has just made."""
    people = {name: team.person(name) for name in PEOPLE}
    for seed, (name, person) in enumerate(people.items()):
        write(person, name, team, seed=seed, better_than="champion", test="judging:score")
        person.folder.hold(3)
    drivers = {name: person.start("run", "sweep.yaml") for name, person in people.items()}
    wait_for(lambda: all(person.folder.held(3) for person in people.values()), 180)
    held = {name: count for name, count in team.connections().items() if name in people}
    assert set(held) == set(people)
    assert max(held.values()) <= 3, held
    for person in people.values():
        person.folder.release(3)
    assert {name: driver.wait(180) for name, driver in drivers.items()} == dict.fromkeys(people, 0), [
        driver.stderr for driver in drivers.values() if driver.process.returncode
    ]
    check_each(team, people)
    assert all(set(p.folder.executions().values()) == {1} for p in people.values())
    assert team.deadlocks() == 0
    with open_store(team.uri, read_only=True) as store:
        versions = store.registry.versions("shared")
        assert [version.version for version in versions] == list(range(1, len(versions) + 1))
        [champion] = [version for version in versions if "champion" in version.aliases]
        winners = []
        for parent in store.tracker.find(Query(sweeps=True, roots=True)):
            scored = [run.metrics.get("test_loss") for run in store.tracker.find(Query(parent=parent.id))]
            winners.append(min(value for value in scored if value is not None))
        assert float(champion.tags["hpo.metric.test_loss"]) == min(winners)
        assert champion == versions[-1]  # each of them beat the one before
        moves = [event for event in store.registry.history("shared") if event.action == "alias"]
        assert [int(event.after) for event in moves] == [version.version for version in versions]


def test_six_people_who_register_under_one_name_get_six_versions(team: Team, wait_for: Wait) -> None:
    """G9: without gates the last one has the alias, and the history says from whom it took it."""
    people = {name: team.person(name) for name in PEOPLE}
    gates = {}
    for seed, (name, person) in enumerate(people.items()):
        write(person, name, team, seed=seed)
        gates[name] = person.folder.path / "gate"
        person.environment["HPO_FAILPOINT"] = f"register.asked:wait:{gates[name]}:1"
    drivers = [person.start("run", "sweep.yaml") for person in people.values()]
    wait_for(lambda: all(Path(f"{gate}.reached").exists() for gate in gates.values()), 180)
    for gate in gates.values():
        gate.touch()
    assert [driver.wait(180) for driver in drivers] == [0] * len(people), [driver.stderr for driver in drivers]
    check_each(team, people)
    with open_store(team.uri, read_only=True) as store:
        versions = store.registry.versions("shared")
        assert [version.version for version in versions] == [1, 2, 3, 4, 5, 6]
        assert {version.tags["hpo.sweep"] for version in versions} == set(people)
        assert [version.aliases for version in versions] == [[]] * 5 + [["champion"]]
        moves = [event for event in store.registry.history("shared") if event.action == "alias"]
        assert [(event.before, event.after) for event in moves] == [
            (str(number - 1) if number > 1 else "", str(number)) for number in range(1, 7)
        ]
        assert len({event.who for event in moves}) == len(people)


def test_two_people_who_start_a_sweep_of_one_name_at_once_do_not_both_run_it(team: Team, wait_for: Wait) -> None:
    """F15, G6: among others who start theirs at the same moment, in a database without tables."""
    people = {name: team.person(name) for name in ("ada", "ben", "cleo", "dan")}
    gates = {}
    for name, person in people.items():
        write(person, name if name in ("ada", "ben") else SHARED, team, seed=1)
        person.folder.hold(0)
        gates[name] = person.folder.path / "gate"
        person.environment["HPO_FAILPOINT"] = f"parent.before_commit:wait:{gates[name]}:1"
    drivers = {name: person.start("run", "sweep.yaml") for name, person in people.items()}
    wait_for(lambda: all(Path(f"{gate}.reached").exists() for gate in gates.values()), 180)
    for gate in gates.values():
        gate.touch()
    wait_for(lambda: any(drivers[name].has_ended for name in ("cleo", "dan")), 180)
    loser, winner = ("cleo", "dan") if drivers["cleo"].has_ended else ("dan", "cleo")
    assert drivers[loser].wait() == 5, drivers[loser].stderr
    assert f"is run by pid {drivers[winner].pid} on host {winner} since 20" in drivers[loser].stderr
    for person in people.values():
        person.folder.release(0)
    for name in set(people) - {loser}:
        assert drivers[name].wait(180) == 0, drivers[name].stderr
    check_each(team, ["ada", "ben", SHARED])
    assert people[loser].folder.executions("start") == {}


def test_no_driver_waits_for_one_that_is_frozen(team: Team, wait_for: Wait) -> None:
    """What a driver that stands still holds, and be it in the middle of a write, is no more than its own sweep."""
    ada, ben = team.person("ada"), team.person("ben")
    write(ada, "ada", team, seed=1)
    write(ben, "ben", team, seed=2)
    gate = ada.folder.path / "gate"
    ada.environment["HPO_FAILPOINT"] = f"store.before_commit:wait:{gate}:3"
    first = ada.start("run", "sweep.yaml")
    wait_for(Path(f"{gate}.reached").exists, 180)
    second = ben.start("run", "sweep.yaml")
    assert second.wait(180) == 0, second.stderr
    assert "busy" not in second.stderr
    gate.touch()
    assert first.wait(180) == 0, first.stderr
    check_each(team, ["ada", "ben"])


def test_a_driver_that_freezes_while_it_registers_holds_up_others_for_half_a_minute_at_most(
    team: Team, wait_for: Wait
) -> None:
    """Versions of one model are numbered one after the other; the server ends what a frozen driver has begun."""
    ada, ben = team.person("ada"), team.person("ben")
    write(ada, "ada", team, seed=1)
    write(ben, "ben", team, seed=2)
    gate = ada.folder.path / "gate"
    ada.environment["HPO_FAILPOINT"] = f"register.before_commit:wait:{gate}:1"
    first = ada.start("run", "sweep.yaml")
    wait_for(Path(f"{gate}.reached").exists, 180)
    second = ben.start("run", "sweep.yaml")
    assert second.wait(180) == 0, second.stderr
    gate.touch()
    assert first.wait(180) == 0, first.stderr
    check_each(team, ["ada", "ben"])
    with open_store(team.uri, read_only=True) as store:
        found = [(version.tags["hpo.sweep"], version.aliases) for version in store.registry.versions("shared")]
    assert found == [("ben", []), ("ada", ["champion"])]
