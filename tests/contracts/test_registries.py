"""What every model registry promises, on every registry there is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.errors import AliasMoved, InvalidRecord, NotFound
from trackers.memory_registry import MemoryRegistry
from trackers.opening import open_store
from trackers.records import NewVersion
from trackers.registry import Registry
from trackers.sql.database import Database
from trackers.sql.registry import SqlRegistry
from trackers.sql.sqlite_place import SqlitePlace


@contextmanager
def in_memory(_: Path) -> Iterator[Registry]:
    yield MemoryRegistry()


@contextmanager
def in_sqlite(folder: Path) -> Iterator[Registry]:
    database = Database(SqlitePlace(folder / "mlflow.db"), artifacts=str(folder / "mlruns"))
    yield SqlRegistry(database)
    database.close()


@contextmanager
def in_postgres(folder: Path, uri: str) -> Iterator[Registry]:
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        yield store.registry


REGISTRIES: dict[str, Callable[..., AbstractContextManager[Registry]]] = {
    "memory": in_memory,
    "sqlite": in_sqlite,
    "postgres": in_postgres,
}


@pytest.fixture(params=REGISTRIES)
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    more = [request.getfixturevalue("postgres_uri")] if request.param == "postgres" else []
    with REGISTRIES[request.param](tmp_path, *more) as opened:
        yield opened


def new(number: int = 1, name: str = "clf", **changes: object) -> NewVersion:
    version = NewVersion(
        name=name,
        source=f"/models/{number}",
        run_id=f"{number:032x}",
        key=f"{name}:{number}",
        description=f"trial {number}",
        tags={"metric": "0.9"},
        who="ada",
        why="best of sweep",
    )
    return replace(version, **changes)


def test_versions_count_up_from_one(registry: Registry) -> None:
    assert [registry.register(new(number)).version for number in (1, 2, 3)] == [1, 2, 3]
    assert registry.register(new(1, name="other")).version == 1


def test_a_version_is_read_as_it_was_registered(registry: Registry) -> None:
    made = registry.register(new(aliases=("champion", "best"), stage="Staging"))

    assert (made.name, made.version, made.source, made.run_id) == ("clf", 1, "/models/1", f"{1:032x}")
    assert (made.stage, list(made.aliases), made.description) == ("Staging", ["best", "champion"], "trial 1")
    assert (dict(made.tags), made.user, made.model_id) == ({"metric": "0.9"}, "ada", None)
    assert made.created > 1_600_000_000_000
    for asked in (1, "1", "champion", "best", "latest"):
        assert registry.get("clf", asked) == made
    assert list(registry.versions("clf")) == [made]


def test_the_same_key_gives_the_version_that_exists_unchanged(registry: Registry) -> None:
    first = registry.register(new())
    again = registry.register(new(source="/elsewhere", description="other", aliases=("champion",)))

    assert again == first
    assert len(registry.versions("clf")) == 1
    assert [event.action for event in registry.history("clf")] == ["register"]


def test_a_key_of_another_model_is_refused(registry: Registry) -> None:
    registry.register(new(key="k"))

    with pytest.raises(InvalidRecord, match="already stands for clf version 1"):
        registry.register(new(name="other", key="k"))
    with pytest.raises(NotFound):
        registry.versions("other")


def test_a_key_of_any_length_is_a_key(registry: Registry) -> None:
    long = "k" * 1000
    assert registry.register(new(key=long)).version == 1
    assert registry.register(new(2, key=long + "2")).version == 2
    assert registry.register(new(key=long)).version == 1


def test_a_version_is_registered_where_its_aliases_point_where_they_are_expected(registry: Registry) -> None:
    registry.register(new(1, aliases=("champion",), expected={"champion": None}))
    made = registry.register(new(2, aliases=("champion",), expected={"champion": 1}))
    assert list(made.aliases) == ["champion"]


@pytest.mark.parametrize("expected", [None, 1])
def test_nothing_is_registered_where_an_alias_has_moved(expected: int | None, registry: Registry) -> None:
    registry.register(new(1, aliases=("champion",)))
    registry.register(new(2, aliases=("champion",)))
    before = (list(registry.versions()), list(registry.history("clf")))

    points = f"points to version 2 by now and not to {'version 1' if expected else 'no version'}"
    with pytest.raises(AliasMoved, match=points):
        registry.register(new(3, aliases=("champion",), stage="Production", expected={"champion": expected}))
    assert (list(registry.versions()), list(registry.history("clf"))) == before
    with pytest.raises(AliasMoved, match=points):  # nor is a version moved that is there already
        registry.register(new(1, aliases=("champion",), expected={"champion": expected}))
    assert registry.get("clf", "champion").version == 2


def test_an_alias_that_was_expected_of_an_unknown_model_makes_no_model(registry: Registry) -> None:
    with pytest.raises(AliasMoved, match="points to no version by now"):
        registry.register(new(1, aliases=("champion",), expected={"champion": 3}))
    assert list(registry.versions()) == []
    with pytest.raises(NotFound):
        registry.history("clf")


def test_a_version_that_exists_is_given_its_aliases_where_they_point_as_expected(registry: Registry) -> None:
    first = registry.register(new(1))
    registry.register(new(2, aliases=("champion",)))
    again = registry.register(new(1, aliases=("champion",), stage="Staging", expected={"champion": 2}))

    assert (again.version, list(again.aliases), again.stage) == (first.version, ["champion"], "Staging")
    assert [event.action for event in registry.history("clf")] == ["register", "register", "alias", "alias", "stage"]


def test_of_many_that_expect_the_same_champion_one_takes_its_place(registry: Registry) -> None:
    registry.register(new(0, aliases=("champion",)))
    barrier = threading.Barrier(6)
    refused: list[int] = []

    def challenge(number: int) -> None:
        barrier.wait()
        try:
            registry.register(new(number, aliases=("champion",), expected={"champion": 1}))
        except AliasMoved:
            refused.append(number)

    challengers = [threading.Thread(target=challenge, args=(number,)) for number in range(1, 7)]
    for challenger in challengers:
        challenger.start()
    for challenger in challengers:
        challenger.join()
    assert len(refused) == 5
    assert registry.get("clf", "champion").version == 2
    assert [version.version for version in registry.versions("clf")] == [1, 2]


def test_all_versions_come_by_name_and_number(registry: Registry) -> None:
    for number, name in ((1, "b"), (2, "a"), (3, "b")):
        registry.register(new(number, name=name))

    assert [(version.name, version.version) for version in registry.versions()] == [("a", 1), ("b", 1), ("b", 2)]


def test_an_empty_registry_has_no_versions(registry: Registry) -> None:
    assert list(registry.versions()) == []


def test_an_alias_points_to_one_version_and_moves(registry: Registry) -> None:
    registry.register(new(1, aliases=("champion",)))
    registry.register(new(2, aliases=("champion",)))
    assert registry.get("clf", "champion").version == 2
    assert list(registry.get("clf", 1).aliases) == []

    registry.set_alias("clf", "champion", 1, who="bob", why="rollback")
    assert registry.get("clf", "champion").version == 1

    registry.set_alias("clf", "champion", None, who="bob")
    with pytest.raises(NotFound, match="champion"):
        registry.get("clf", "champion")


def test_moving_to_an_active_stage_archives_its_holder_unless_told_otherwise(registry: Registry) -> None:
    for number in (1, 2, 3):
        registry.register(new(number))
    registry.set_stage("clf", 1, "Production", who="ada")
    registry.set_stage("clf", 2, "Production", who="ada")
    assert [version.stage for version in registry.versions("clf")] == ["Archived", "Production", "None"]

    registry.set_stage("clf", 3, "Production", who="ada", archive_existing=False)
    assert [version.stage for version in registry.versions("clf")] == ["Archived", "Production", "Production"]

    registry.set_stage("clf", 2, "None", who="ada")
    assert [version.stage for version in registry.versions("clf")] == ["Archived", "None", "Production"]


def test_a_version_registered_into_a_stage_archives_the_holder(registry: Registry) -> None:
    registry.register(new(1, stage="Production"))
    registry.register(new(2, stage="Production"))

    assert [version.stage for version in registry.versions("clf")] == ["Archived", "Production"]


def test_archiving_one_version_leaves_the_other_archived_ones(registry: Registry) -> None:
    for number in (1, 2):
        registry.register(new(number))
        registry.set_stage("clf", number, "Archived", who="ada")

    assert [version.stage for version in registry.versions("clf")] == ["Archived", "Archived"]


def test_moving_back_to_no_stage_leaves_the_others_without_one(registry: Registry) -> None:
    for number in (1, 2):
        registry.register(new(number))
    registry.set_stage("clf", 1, "Staging", who="ada")
    registry.set_stage("clf", 1, "None", who="ada")

    assert [version.stage for version in registry.versions("clf")] == ["None", "None"]


def test_annotating_replaces_the_description_and_adds_tags(registry: Registry) -> None:
    registry.register(new())
    registry.annotate("clf", 1, who="ada", tags={"team": "x", "metric": "0.95"})
    assert registry.get("clf", 1).description == "trial 1"

    registry.annotate("clf", 1, who="ada", description="better\nwords ü😀")
    found = registry.get("clf", 1)
    assert (found.description, dict(found.tags)) == ("better\nwords ü😀", {"metric": "0.95", "team": "x"})


def test_every_change_is_a_line_of_history(registry: Registry) -> None:
    registry.register(new(1, aliases=("champion",), stage="Production"))
    registry.register(new(2, why=""))
    registry.set_alias("clf", "champion", 2, who="bob", why="better")
    registry.set_stage("clf", 2, "Production", who="bob")
    registry.annotate("clf", 2, who="eve", description="x", tags={"a": "b"})
    registry.set_alias("clf", "champion", None, who="bob")

    lines = [(e.who, e.action, e.version, e.what, e.before, e.after, e.why) for e in registry.history("clf")]
    assert lines == [
        ("ada", "register", 1, "", "", "1", "best of sweep"),
        ("ada", "alias", 1, "champion", "", "1", "best of sweep"),
        ("ada", "stage", 1, "Production", "None", "Production", "best of sweep"),
        ("ada", "register", 2, "", "", "2", ""),
        ("bob", "alias", 2, "champion", "1", "2", "better"),
        ("bob", "stage", 1, "Archived", "Production", "Archived", ""),
        ("bob", "stage", 2, "Production", "None", "Production", ""),
        ("eve", "annotate", 2, "description, tag a", "", "", ""),
        ("bob", "alias", 2, "champion", "2", "", ""),
    ]
    times = [event.at for event in registry.history("clf")]
    assert times == sorted(times)


def test_a_change_that_changes_nothing_is_no_line_of_history(registry: Registry) -> None:
    registry.register(new(aliases=("champion",), stage="Staging"))
    before = list(registry.history("clf"))

    registry.set_alias("clf", "champion", 1, who="bob")
    registry.set_stage("clf", 1, "Staging", who="bob")
    registry.annotate("clf", 1, who="bob")

    assert list(registry.history("clf")) == before


def test_an_unknown_name_names_the_nearest(registry: Registry) -> None:
    with pytest.raises(NotFound, match="nothing was registered yet"):
        registry.get("clf", 1)
    registry.register(new(1, name="breast-cancer"))
    for ask in (
        lambda: registry.get("brest-cancer", 1),
        lambda: registry.versions("brest-cancer"),
        lambda: registry.history("brest-cancer"),
        lambda: registry.set_alias("brest-cancer", "x", 1, who=""),
        lambda: registry.set_stage("brest-cancer", 1, "Staging", who=""),
        lambda: registry.annotate("brest-cancer", 1, who="", description="x"),
    ):
        with pytest.raises(NotFound, match=r"no registered model 'brest-cancer'; did you mean breast-cancer\?"):
            ask()


def test_an_unknown_version_or_alias_names_those_there_are(registry: Registry) -> None:
    registry.register(new(1, aliases=("champion",)))
    registry.register(new(2))
    for ask in (
        lambda: registry.get("clf", 3),
        lambda: registry.get("clf", 0),
        lambda: registry.get("clf", "champ"),
        lambda: registry.set_alias("clf", "champ", 7, who=""),
        lambda: registry.set_alias("clf", "champ", None, who=""),
        lambda: registry.set_stage("clf", 3, "Staging", who=""),
        lambda: registry.annotate("clf", 3, who="", description="x"),
    ):
        with pytest.raises(NotFound, match=r"has no version or alias .*versions 1, 2 and aliases champion"):
            ask()
    assert len(registry.history("clf")) == 3


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", ".", "..", "n" * 257, "a\0b", "\ud800"])
def test_a_name_that_mlflow_refuses_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidRecord, match="name"):
        registry.register(new(name=name))
    assert list(registry.versions()) == []


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize("alias", ["", "latest", "LATEST", "v1", "V22", "17", "a b", "a/b", "x" * 256, "a\n"])
def test_an_alias_that_mlflow_refuses_or_that_means_a_version_is_refused(registry: Registry, alias: str) -> None:
    with pytest.raises(InvalidRecord, match="alias"):
        registry.register(new(aliases=("fine", alias)))
    assert list(registry.versions()) == []
    registry.register(new())
    with pytest.raises(InvalidRecord, match="alias"):
        registry.set_alias("clf", alias, 1, who="ada")


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize("stage", ["production", "Prod", "", "Deleted_Internal"])
def test_a_stage_that_mlflow_does_not_have_is_refused(registry: Registry, stage: str) -> None:
    registry.register(new())
    with pytest.raises(InvalidRecord, match="a stage is one of None, Staging, Production, Archived"):
        registry.set_stage("clf", 1, stage, who="ada")
    with pytest.raises(InvalidRecord, match="a stage is one of"):
        registry.register(new(2, stage=stage))
    assert len(registry.versions("clf")) == 1


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize(
    "changes",
    [
        {"source": ""},
        {"source": "s" * 501},
        {"run_id": "r" * 33},
        {"key": ""},
        {"model_id": "m-1"},
        {"description": "d" * 5001},
        {"description": "a\0b"},
        {"tags": {"k" * 251: "v"}},
        {"tags": {"": "v"}},
        {"tags": {"../k": "v"}},
        {"tags": {"k$": "v"}},
        {"tags": {"k": "v" * 100_001}},
        {"tags": {"k": 1}},
        {"who": "w" * 257},
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(registry: Registry, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord):
        registry.register(new(**changes))
    assert list(registry.versions()) == []


def test_names_and_texts_of_any_letters_come_back_as_they_were(registry: Registry) -> None:
    made = registry.register(new(name="модель 模型 😀", description="quote ' \" % _ \\ ;--", tags={"a b/c": "\n\t"}))

    assert registry.get("модель 模型 😀", 1) == made
    assert (made.description, dict(made.tags)) == ("quote ' \" % _ \\ ;--", {"a b/c": "\n\t"})
