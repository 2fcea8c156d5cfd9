"""`hpo promote`, `rollback`, `history` and `annotate`: who moved what, back again, and what was live when."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import LoggedModel, NewVersion, RunEnded, RunStarted, Status, SweepFacts, TrialFacts
from trackers.sql.database import Database
from trackers.sql.registry import SqlRegistry
from trackers.sql.sqlite_place import SqlitePlace

SWEEP = "5" * 32
Ask = Callable[..., Result]


def trial_id(number: int) -> str:
    return f"{number:032x}"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a sweep of three trials whose models are versions 1, 2, 3 of `clf`."""
    folder = tmp_path_factory.mktemp("models")
    with open_store(f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns")) as store:
        facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
        store.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=facts)])
        for number in (1, 2, 3):
            run_id = trial_id(number)
            trial = TrialFacts(number, {})
            store.tracker.record([RunStarted(run_id, f"trial-{number}", "Default", 2, SWEEP, trial=trial)])
            source = folder / "weights"
            source.write_text(f"weights {number}")
            uri = store.tracker.get(run_id).artifact_uri
            files = ArtifactFolder().save_file(uri, source, "model/weights")
            model = LoggedModel("m-" + run_id, "model", "model")
            ended = replace(trial, state="COMPLETE", value=1.0)
            store.tracker.record([RunEnded(run_id, Status.FINISHED, 3, artifacts=files, models=[model], trial=ended)])
            store.registry.register(NewVersion("clf", f"{uri}/model", run_id, f"k{number}", who="ada"))
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A copy of the database, for one test; the files stay where they are."""
    with (
        closing(sqlite3.connect(template / "mlflow.db")) as old,
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as new,
    ):
        old.backup(new)
    return tmp_path


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{folder}/mlflow.db")
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


@pytest.fixture
def spoiled(template: Path) -> Iterator[Path]:
    """The file of version 2, altered for a while."""
    [path] = (template / "mlruns").rglob(f"{trial_id(2)}/artifacts/model/weights")
    before = path.read_bytes()
    path.write_text("weights X")
    yield path
    path.write_bytes(before)


def data(result: Result) -> object:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def champion(ask: Ask) -> int | None:
    versions = data(ask("models", "clf", "-f", "json"))
    return next((version["version"] for version in versions if "champion" in version["aliases"]), None)  # type: ignore[attr-defined]


def test_promote_moves_an_alias_and_says_from_where(ask: Ask) -> None:
    first = ask("promote", "clf", "1", "champion")
    assert (first.exit_code, first.stdout) == (0, "alias champion of clf: version none -> 1\n")
    assert ask("promote", "clf", "2", "champion").stdout == "alias champion of clf: version 1 -> 2\n"
    assert ask("promote", "clf", "2", "champion").stdout == "alias champion of clf points to version 2 already\n"
    assert data(ask("promote", "clf", "latest", "champion", "-f", "json")) == {
        "name": "clf", "version": 3, "alias": "champion", "stage": None, "from": 2, "to": 3,
    }  # fmt: skip
    assert champion(ask) == 3


def test_promote_to_a_stage_archives_its_holder(ask: Ask) -> None:
    ask("promote", "clf", "1", "--stage", "Production")
    moved = ask("promote", "clf", "2", "champion", "--stage", "Production", "--why", "better")
    assert moved.stdout.splitlines() == [
        "alias champion of clf: version none -> 2",
        "version 2 of clf: stage None -> Production",
    ]
    assert [version["stage"] for version in data(ask("models", "clf", "-f", "json"))] == [  # type: ignore[attr-defined]
        "Archived", "Production", "None",
    ]  # fmt: skip
    assert data(ask("history", "clf", "-f", "json"))[-1]["why"] == "better"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("clf", "9", "champion"), 1, "no version or alias '9'; it has versions 1, 2, 3"),
        (("clf", "champion", "x"), 1, "no version or alias 'champion'"),
        (("clg", "1", "champion"), 1, "did you mean clf?"),
        (("clf", "1", "latest"), 2, "an alias must not be"),
        (("clf", "1", "--stage", "production"), 2, "did you mean 'Production'"),
        (("clf", "1"), 2, "say where to"),
    ],
)
def test_what_cannot_be_promoted_is_refused(ask: Ask, arguments: tuple[str, ...], code: int, message: str) -> None:
    before = data(ask("history", "clf", "-f", "json"))
    refused = ask("promote", *arguments)
    assert refused.exit_code == code
    assert message in refused.stderr
    assert data(ask("history", "clf", "-f", "json")) == before


def test_a_version_with_an_altered_file_is_not_promoted(ask: Ask, spoiled: Path) -> None:
    """G9."""
    for place in (("champion",), ("--stage", "Production")):
        refused = ask("promote", "clf", "2", *place)
        assert refused.exit_code == 1
        assert "version 2 of model clf: model/weights is missing or altered" in refused.stderr
    assert champion(ask) is None
    spoiled.unlink()
    assert ask("promote", "clf", "2", "champion").exit_code == 1


def test_rollbacks_lead_back_step_by_step(ask: Ask) -> None:
    for version in "123":
        ask("promote", "clf", version, "champion")
    back = ask("rollback", "clf", "champion", "--why", "3 is slow", "-f", "json")
    assert data(back) == {"name": "clf", "version": 2, "alias": "champion", "stage": None, "from": 3, "to": 2}
    assert ask("rollback", "clf", "champion").stdout == "alias champion of clf: version 2 -> 1\n"
    nothing = ask("rollback", "clf", "champion")
    assert nothing.exit_code == 1
    assert "points to version 1, and there is nothing before that to roll back to" in nothing.stderr
    events = data(ask("history", "clf", "--alias", "champion", "-f", "json"))
    assert [(event["action"], event["from"], event["to"]) for event in events] == [  # type: ignore[attr-defined]
        ("alias", None, 1), ("alias", 1, 2), ("alias", 2, 3), ("rollback", 3, 2), ("rollback", 2, 1),
    ]  # fmt: skip
    assert [event["why"] for event in events] == ["", "", "", "3 is slow", ""]  # type: ignore[attr-defined]


def test_an_alias_that_never_was_cannot_be_rolled_back(ask: Ask) -> None:
    ask("promote", "clf", "1", "champion")
    refused = ask("rollback", "clf", "champ")
    assert refused.exit_code == 1
    assert "model clf has no alias 'champ' and never had; it has champion" in refused.stderr


def test_a_rollback_to_altered_files_is_refused_unless_forced(ask: Ask, spoiled: Path) -> None:
    content = spoiled.read_bytes()
    spoiled.write_text("weights 2")
    ask("promote", "clf", "2", "champion")
    ask("promote", "clf", "3", "champion")
    spoiled.write_bytes(content)
    refused = ask("rollback", "clf", "champion")
    assert refused.exit_code == 1
    assert "model/weights is missing or altered" in refused.stderr
    assert champion(ask) == 3
    forced = ask("rollback", "clf", "champion", "--force")
    assert (forced.exit_code, champion(ask)) == (0, 2)
    assert "no file of version 2 was verified" in forced.stderr


def test_a_rollback_to_a_deleted_version_is_refused_unless_forced(ask: Ask, folder: Path) -> None:
    for version in "123":
        ask("promote", "clf", version, "champion")
    change(folder, "UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE version = 2")
    refused = ask("rollback", "clf", "champion")
    assert refused.exit_code == 1
    assert "version 2 of model clf, to which alias champion pointed before, was deleted" in refused.stderr
    forced = ask("rollback", "clf", "champion", "--force")
    assert forced.stdout == "alias champion of clf: version 3 -> 1\n"
    assert "passed over version 2, which was deleted" in forced.stderr
    assert ask("rollback", "clf", "champion").exit_code == 1


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_the_history_has_the_documented_fields(ask: Ask) -> None:
    ask("promote", "clf", "1", "champion", "--stage", "Staging", "--why", "try")
    ask("annotate", "clf", "1", "--tag", "team=x", "--why", "ours")
    events = data(ask("history", "clf", "-f", "json"))
    plain = [{key: value for key, value in event.items() if key != "at"} for event in events[-3:]]  # type: ignore[index]
    common = {"who": "bob", "name": "clf", "version": 1}
    assert plain == [
        {**common, "action": "alias", "alias": "champion", "stage": None, "annotated": None, "from": None, "to": 1,
         "why": "try"},
        {**common, "action": "stage", "alias": None, "stage": "Staging", "annotated": None, "from": "None",
         "to": "Staging", "why": "try"},
        {**common, "action": "annotate", "alias": None, "stage": None, "annotated": "tag team", "from": None,
         "to": None, "why": "ours"},
    ]  # fmt: skip
    assert all(event["at"].endswith("+00:00") for event in events)  # type: ignore[attr-defined]
    table = ask("history", "clf").stdout.splitlines()
    assert table[0].split() == ["at", "action", "version", "what", "from", "to", "who", "why"]
    assert table[-1].split()[2:] == ["annotate", "1", "tag", "team", "-", "-", "bob", "ours"]
    for form in ("csv", "md", "yaml"):
        assert "champion" in ask("history", "clf", "-f", form).stdout


def test_the_history_of_one_version(ask: Ask) -> None:
    ask("promote", "clf", "1", "champion")
    ask("promote", "clf", "2", "champion")
    events = data(ask("history", "clf", "--version", "1", "-f", "json"))
    assert [event["action"] for event in events] == ["register", "alias", "alias"]  # type: ignore[attr-defined]


@pytest.fixture
def dated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A model whose alias and stage moved on the last two days of April and on the first of May."""
    acts: list[tuple[str, Callable[[SqlRegistry], object]]] = [
        ("2026-04-29T08:00", lambda r: r.register(NewVersion("m", "/m/1", None, "1", who="ada", why="best of s"))),
        ("2026-04-29T09:00", lambda r: r.set_alias("m", "champion", 1, who="ada", why="first")),
        ("2026-04-30T10:00", lambda r: r.register(NewVersion("m", "/m/2", None, "2", who="ada"))),
        ("2026-05-01T00:00", lambda r: r.set_stage("m", 1, "Production", who="ada")),
        ("2026-05-01T11:00", lambda r: r.set_alias("m", "champion", 2, who="bob", why="better")),
        ("2026-05-01T12:30", lambda r: r.set_alias("m", "champion", 1, who="eve", why="slow", rollback_from=2)),
        ("2026-05-01T23:59", lambda r: r.set_alias("m", "spare", 2, who="eve")),
        ("2026-05-02T00:00", lambda r: r.set_alias("m", "champion", 2, who="bob")),
        ("2026-05-02T01:00", lambda r: r.set_alias("m", "spare", None, who="bob")),
    ]  # fmt: skip
    database = Database(SqlitePlace(tmp_path / "mlflow.db"), artifacts=str(tmp_path))
    for when, act in acts:
        act(SqlRegistry(database, clock=lambda when=when: at(when)))  # type: ignore[misc]
    database.close()
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{tmp_path}/mlflow.db")
    return lambda *arguments: CliRunner().invoke(main, ["history", "m", *arguments])


def live(ask: Ask, on: str) -> dict[str, object]:
    found = data(ask("--on", on, "-f", "json"))
    assert isinstance(found, dict)
    return {
        **{place["alias"]: place["version"] for place in found["aliases"]},
        **{place["stage"]: place["version"] for place in found["stages"]},
    }


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("2026-04-28", {}),
        ("2026-04-29", {"champion": 1}),
        ("2026-04-30", {"champion": 1}),
        ("2026-05-01", {"champion": 1, "spare": 2, "Production": 1}),
        ("2026-05-02", {"champion": 2, "spare": None, "Production": 1}),
        ("2026-05-03", {"champion": 2, "Production": 1}),
        ("2026-05-01T00:00Z", {"champion": 1, "Production": 1}),
        ("2026-05-01T12:00Z", {"champion": 2, "Production": 1}),
        ("2026-05-01T12:00", {"champion": 2, "Production": 1}),
        ("2026-05-01T12:00+02:00", {"champion": 1, "Production": 1}),
        ("2026-04-29T08:59:59.999Z", {}),
        ("2026-04-29T09:00Z", {"champion": 1}),
    ],
)
def test_what_was_live_on_a_day_is_what_was_at_its_end(dated: Ask, on: str, expected: dict[str, object]) -> None:
    assert live(dated, on) == expected


def test_a_day_says_since_when_why_and_what_changed_on_it(dated: Ask) -> None:
    found = data(dated("--on", "2026-05-01", "-f", "json"))
    assert isinstance(found, dict)
    assert (found["name"], found["on"], found["until"]) == ("m", "2026-05-01", "2026-05-02T00:00:00.000+00:00")
    place = found["aliases"][0]
    assert (place["since"], place["who"], place["why"]) == ("2026-05-01T12:30:00.000+00:00", "eve", "slow")
    assert [(event["at"][11:16], event["from"], event["to"]) for event in place["changed"]] == [
        ("11:00", 1, 2), ("12:30", 2, 1),
    ]  # fmt: skip
    lines = dated("--on", "2026-05-01").stdout.splitlines()
    assert "11:00Z 1 -> 2; 12:30Z 2 -> 1" in lines[1]
    assert "00:00Z version 1 None -> Production" in lines[3]


def test_one_alias_on_a_day(dated: Ask) -> None:
    assert list(json.loads(dated("--on", "2026-05-01", "--alias", "champion", "-f", "json").stdout)["stages"]) == []
    assert "champion" in dated("--on", "2026-05-01", "--alias", "champion").stdout


def test_a_day_before_the_history_and_one_to_come_are_said_to_be_so(dated: Ask) -> None:
    assert "the history of m begins later, at 2026-04-29T08:00" in dated("--on", "2026-04-01").stderr
    assert "is not over (in UTC)" in dated("--on", "2999-01-01").stderr


@pytest.mark.parametrize("on", ["yesterday", "1.5.2026", "2026-13-01", ""])
def test_what_is_no_day_is_refused(dated: Ask, on: str) -> None:
    refused = dated("--on", on)
    assert refused.exit_code == 2
    assert "a day is written 2026-05-01" in refused.stderr


def test_what_mlflow_moved_is_shown_at_once_and_said_to_be_seen(ask: Ask, folder: Path) -> None:
    ask("promote", "clf", "1", "champion")
    change(folder, "UPDATE registered_model_aliases SET version = 2")
    shown = ask("history", "clf", "-f", "json")
    assert "1 change of clf made without hpo" in shown.stderr
    last = data(shown)[-1]  # type: ignore[index]
    assert (last["who"], last["from"], last["to"]) == ("unknown (seen by bob)", 1, 2)
    assert json.loads(ask("history", "clf", "--on", "2999-01-01", "-f", "json").stdout)["aliases"][0]["version"] == 2
    back = ask("rollback", "clf", "champion")
    assert back.stdout == "alias champion of clf: version 2 -> 1\n"
    assert "without hpo" not in ask("history", "clf").stderr


def test_an_unknown_model_has_no_history(ask: Ask) -> None:
    unknown = ask("history", "clg")
    assert unknown.exit_code == 1
    assert "did you mean clf?" in unknown.stderr


def test_a_deleted_model_has_one(ask: Ask, folder: Path) -> None:
    for table in ("model_version_tags", "model_versions", "registered_models"):
        change(folder, f"DELETE FROM {table}")
    actions = [event["action"] for event in data(ask("history", "clf", "-f", "json"))]  # type: ignore[attr-defined]
    assert actions == ["register"] * 3 + ["delete"] * 3


def test_annotations_of_a_version_are_shown_with_it(ask: Ask) -> None:
    done = ask("annotate", "clf", "2", "--description", "for the fair", "--tag", "team=x", "--tag", "a=b=c")
    assert done.exit_code == 0, done.stderr
    ask("annotate", "clf", "2", "--remove-tag", "team")
    assert data(ask("models", "clf", "-f", "json"))[1]["description"] == "for the fair"  # type: ignore[index]
    with open_store_of(ask) as store:
        assert dict(store.registry.get("clf", 2).tags) == {"a": "b=c"}
    assert [event["annotated"] for event in data(ask("history", "clf", "-f", "json"))[-2:]] == [  # type: ignore[index]
        "description, tag team, tag a", "no tag team",
    ]  # fmt: skip


def open_store_of(_: Ask):  # type: ignore[no-untyped-def]
    import os

    return open_store(os.environ["HPO_TRACKER"], read_only=True)


def test_notes_of_sweeps_and_trials_stand_where_mlflow_has_them(ask: Ask) -> None:
    assert ask("annotate", "s", "--note", "a good one", "--tag", "team=x").exit_code == 0
    assert ask("annotate", "s#2", "--note", "odd").exit_code == 0
    with open_store_of(ask) as store:
        tags = store.tracker.get(SWEEP).tags
        assert (tags["mlflow.note.content"], tags["team"]) == ("a good one", "x")
        assert store.tracker.get(trial_id(2)).tags["mlflow.note.content"] == "odd"
    assert "a good one" in ask("show", "s").stdout
    ask("annotate", "s", "--remove-tag", "team")
    with open_store_of(ask) as store:
        assert "team" not in store.tracker.get(SWEEP).tags


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s", "--tag", "hpo.progress=x"), "kept by hpo"),
        (("s", "--tag", "mlflow.parentRunId=x"), "kept by mlflow"),
        (("clf", "1", "--remove-tag", "hpo.sweep"), "kept by hpo"),
        (("s", "--tag", "x"), "KEY=VALUE"),
        (("s", "--description", "x"), "has a --note"),
        (("clf", "1", "--note", "x"), "has a --description"),
        (("s", "--note", "x", "--why", "y"), "no history"),
        (("s",), "nothing to change"),
        (("s", "--note", "x" * 8001), "8000 characters"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(ask: Ask, arguments: tuple[str, ...], message: str) -> None:
    refused = ask("annotate", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_what_is_not_there_is_not_annotated(ask: Ask) -> None:
    for arguments in (("nothing", "--note", "x"), ("s#77", "--note", "x"), ("clf", "9", "--description", "x")):
        assert ask("annotate", *arguments).exit_code == 1
