"""The roles of docs/teams.md, made by the very statements that stand there: who may do what in a team's database."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trackers.errors import NotPermitted
from trackers.opening import open_store
from trackers.records import NewVersion, Query, RunStarted, SweepFacts, TrialFacts

PAGE = Path(__file__).parents[2] / "docs/teams.md"
SWEEP, TRIAL = "5" * 32, "6" * 32
FACTS = SweepFacts("{}", "c0ffee", "loss", "minimize", 1, 1, 3)


@pytest.fixture
def uri_of(postgres: Any, empty_postgres_uri: str) -> Iterator[Callable[[str], str]]:
    """`uri_of(person)`: the team's database as that person opens it; nobody has done so yet."""
    database = str(sa.make_url(empty_postgres_uri).database)
    [statements] = re.findall(r"^```sql\n(CREATE ROLE.*?)^```", PAGE.read_text(), re.M | re.S)
    mine = re.sub(r"DATABASE hpo\b", f"DATABASE {database}", statements)
    for name in re.findall(r"^CREATE ROLE (\w+)", statements, re.M):
        mine = re.sub(rf"\b{name}\b", f"{name}_of_{database}", mine)
    roles = re.findall(r"^CREATE ROLE (\w+)", mine, re.M)
    with postgres.connect(database) as connection:
        connection.execute(mine)
        connection.execute(f"CREATE ROLE stranger_of_{database} LOGIN")
    yield lambda person: str(sa.make_url(empty_postgres_uri).set(username=f"{person}_of_{database}"))
    postgres.drop(database)
    with postgres.connect() as connection:
        for role in [*reversed(roles), f"stranger_of_{database}"]:
            connection.execute(f"DROP ROLE {role}")


def test_whoever_made_the_tables_people_search_and_readers_look(uri_of: Callable[[str], str]) -> None:
    with pytest.raises(NotPermitted):
        open_store(uri_of("ada"), artifacts="/m")  # before there are tables: she may not make them
    open_store(uri_of("hpo_admin"), artifacts="/m").close()
    with open_store(uri_of("ada"), artifacts="/m") as store:
        fence = store.ownership.claim(SWEEP, "me", taking_from=None)
        trial = RunStarted(TRIAL, "trial-0", "iris", 2, SWEEP, trial=TrialFacts(0, {"x": 1}))
        store.tracker.experiment("iris")
        store.tracker.record([RunStarted(SWEEP, "ada-iris", "iris", 1, sweep=FACTS), trial], fence)
        store.registry.register(NewVersion("clf", "/m/1", TRIAL, "clf:1", who="ada", aliases=("champion",)))
    with open_store(uri_of("rita"), read_only=True) as store:
        assert [run.name for run in store.tracker.find(Query(sweeps=True))] == ["ada-iris"]
        assert store.registry.get("clf", "champion").version == 1
    with open_store(uri_of("rita"), artifacts="/m") as store, pytest.raises(NotPermitted, match="permission denied"):
        store.registry.set_alias("clf", "champion", None, who="rita")
    with pytest.raises(NotPermitted, match=r"permission denied for database|let its administrator allow"):
        open_store(uri_of("stranger"), read_only=True)


def test_tables_that_come_later_are_for_the_same_people(postgres: Any, uri_of: Callable[[str], str]) -> None:
    """As MLflow's, when the owner lets it upgrade the database."""
    open_store(uri_of("hpo_admin"), artifacts="/m").close()
    url = sa.make_url(uri_of("hpo_admin"))
    owner, people, readers = (f"{name}_of_{url.database}" for name in ("hpo_owner", "hpo_people", "hpo_readers"))
    with postgres.connect(str(url.database)) as connection:
        connection.execute(f"SET ROLE {owner}")
        connection.execute("CREATE TABLE later (id serial)")
        asked = "SELECT has_table_privilege(%s, 'later', %s)"
        can = {(role, verb): connection.execute(asked, [role, verb]).fetchone()[0]
               for role in (people, readers) for verb in ("SELECT", "INSERT")}  # fmt: skip
    assert can == {(people, "SELECT"): True, (people, "INSERT"): True, (readers, "SELECT"): True,
                   (readers, "INSERT"): False}  # fmt: skip
