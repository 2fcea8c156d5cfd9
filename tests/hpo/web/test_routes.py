"""What the routes answer, and what nothing in a store can make them do."""

import asyncio
import contextlib
import json
import shlex
import socket
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from hpo.views.model_fields import with_first
from hpo.views.run_fields import artifact_id
from trackers.opening import open_store
from trackers.records import Artifact, Point, RunEnded, RunStarted, RunUpdated, Status, SweepFacts, TrialFacts

SWEEP = "5a" * 16
RUN = "0001" + "b" * 28
HOSTILE = "<script>alert(1)</script>\x1b[31m"
START = 1_760_000_000_000


def strict(text: bytes) -> object:
    def refuse(constant: str) -> object:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_list_has_our_sweeps_and_those_of_mlflow(site) -> None:
    answered = site.ask("/api/sweeps").json
    ours, foreign = answered["sweeps"]
    assert (ours["name"], ours["counts"]["COMPLETE"], ours["n_trials"], ours["goals"]) == (
        "iris",
        2,
        60,
        {"auc": "maximize"},
    )
    assert ours["registered"] == [{"name": "iris", "version": 1, "aliases": ["champion"]}]
    assert (foreign["name"], foreign["metric"], foreign["counts"]) == ("by-mlflow", None, {"COMPLETE": 1, "RUNNING": 1})
    assert [sweep["name"] for sweep in site.ask("/api/sweeps?name=iris").json["sweeps"]] == ["iris"]


def test_a_sweep_is_told_with_budget_best_winner_and_commands(site) -> None:
    sweep = site.ask(f"/api/sweeps/{SWEEP}").json
    assert sweep["best"] == {"value": 0.9, "number": 1, "id": RUN}
    assert sweep["left"] == {"trials": 57, "seconds": None, "how": None}
    assert (sweep["budget"]["timeout"], sweep["settings"]["engine.sampler"]) == (100.0, "tpe")
    assert sweep["winner"]["version"] == 1
    assert sweep["winner"]["load"] == "model = hpo.load_model('iris@champion')"
    assert {each["name"] for each in sweep["commands"]} >= {"resume", "best", "register", "report"}
    assert site.ask("/api/sweeps/iris").json["id"] == SWEEP


def test_the_page_of_a_sweep_lets_its_trials_be_read_ahead(make_site) -> None:
    site = make_site()
    assert site.ask("/sweeps/iris/trials/3").body == site.ask("/").body
    assert [watched.table.revision > watched.first for watched in site.hub._watched.values()] == [True]
    assert site.ask("/sweeps/nobody%00").status == 200  # the page says that there is none


def test_trials_are_columns_of_numbers_and_levels(site) -> None:
    columns = site.ask(f"/api/sweeps/{SWEEP}/trials").json
    assert columns["number"] == [0, 1, 2, 3]
    assert [columns["states"][state] for state in columns["state"]] == ["COMPLETE", "COMPLETE", "FAILED", "RUNNING"]
    assert columns["value"] == [0.8, 0.9, None, None]
    assert columns["params"]["lr"] == {"kind": "float", "values": [0.1, 1.1, 2.1, 3.1]}
    assert columns["params"]["kind"] == {"kind": "choice", "levels": ["a", HOSTILE], "values": [0, 1, 0, 1]}
    assert (columns["metrics"]["auc"], columns["reason"]) == ([0.8, 0.9, None, None], [None, None, "exception", None])
    assert (columns["whole"], columns["total"], columns["sample"], columns["gone"]) == (True, 4, None, [])


def test_what_is_known_already_is_not_sent_again(site) -> None:
    async def twice():
        first = await site.answer(f"/api/sweeps/{SWEEP}/trials")
        again = await site.answer(f"/api/sweeps/{SWEEP}/trials", if_none_match=first.headers["etag"])
        since = await site.answer(f"/api/sweeps/{SWEEP}/trials?revision={first.json['revision']}")
        return first, again, since

    first, again, since = asyncio.run(twice())
    assert (again.status, again.body) == (304, b"")
    assert (since.json["whole"], since.json["number"]) == (False, [])
    assert first.json["number"] == [0, 1, 2, 3]


def test_runs_of_mlflow_get_numbers_values_and_typed_params(site) -> None:
    columns = site.ask(f"/api/sweeps/{'8' * 32}/trials").json
    assert (columns["number"], columns["name"], columns["value"]) == ([0, 1], ["c6", "c7"], [0.25, None])
    assert columns["params"] == {"lr": {"kind": "float", "values": [0.6, 0.7]}}
    assert site.ask(f"/api/sweeps/{'8' * 32}").json["goal_is_known"] is False


def test_a_trial_is_told_whole(site) -> None:
    run = site.ask(f"/api/runs/{RUN}").json
    assert (run["number"], run["state"], run["value"], run["sweep"]["name"]) == (1, "COMPLETE", 0.9, "iris")
    assert run["metrics"]["auc"] == {"value": 0.9, "steps": [0, 1], "values": [0.8, 0.9]}
    assert [file["name"] for file in run["artifacts"]] == ["logs/output.log", "model/page.html"]
    failed = site.ask(f"/api/runs/{'0002' + 'b' * 28}").json
    assert (failed["reason"], failed["error"]) == ("exception", HOSTILE)


def test_a_log_is_text_that_steers_nothing(site) -> None:
    answered = site.ask(f"/api/runs/{RUN}/log")
    assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in answered.headers["content-security-policy"]
    assert answered.body.decode() == "first\n<script>alert(1)</script>\\x1b[31m\nlast\n"
    assert site.ask(f"/api/runs/{RUN}/log?tail=5").body.decode().endswith("last\n")
    assert site.ask(f"/api/runs/{'0002' + 'b' * 28}/log").body == b""


def test_a_kept_page_is_a_download_that_no_browser_opens(site) -> None:
    answered = site.ask(f"/api/artifacts/{artifact_id(RUN, 'model/page.html')}")
    assert answered.body.decode() == HOSTILE
    assert answered.headers["content-type"] == "application/octet-stream"
    assert answered.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert "sandbox" in answered.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fserver.py",
        "/static/%2e%2e%2fserver.py",
        "/static/../server.py",
        "/static/.hidden",
        "/api/artifacts/..%2f..%2fetc%2fpasswd",
        f"/api/artifacts/{RUN}-model%2Fpage.html",
        f"/api/artifacts/{RUN}-{'0' * 32}",
        "/api/runs/..%2f..%2fetc%2fpasswd",
        f"/api/runs/{RUN}%00",
        "/api/sweeps/..%2f..",
        f"/api/sweeps/{SWEEP}/trials/..",
        "/api/models/..%2f..%2fetc",
    ],
)
def test_paths_lead_nowhere(site, path: str) -> None:
    answered = site.ask(path)
    assert answered.status == 404
    assert set(answered.json["error"]) == {"rule", "message", "remedy"}


def test_rows_of_a_store_cannot_name_files_of_this_machine(tmp_path: Path, make_site) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret")
    with open_store("memory://", artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.experiment("x", str(tmp_path))
        store.tracker.record([RunStarted("a" * 32, "a", "x", 1)])
        folder = tmp_path / ("a" * 32) / "artifacts"
        folder.mkdir(parents=True)
        (folder / "link.txt").symlink_to(secret)
        names = ["link.txt", "gone.txt"]
        store.tracker.record([RunUpdated("a" * 32, artifacts=[Artifact(name, 6, "0" * 64) for name in names])])
        site = make_site(store=store)
        for name in names:
            answered = site.ask(f"/api/artifacts/{artifact_id('a' * 32, name)}")
            assert answered.status in (400, 404)
            assert b"s3cret" not in answered.body


def test_a_manifest_of_a_folder_that_is_no_runs_own_is_not_read(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1)])
        store.tracker.record([RunUpdated("a" * 32, artifacts=[Artifact("hosts", 6, "0" * 64)])])
        store.tracker._runs["a" * 32].artifact_uri = "/etc"  # as somebody who writes to the database could
        site = make_site(store=store)
        assert site.ask(f"/api/artifacts/{artifact_id('a' * 32, 'hosts')}").status == 404


def test_a_folder_of_files_that_is_a_link_is_not_followed(tmp_path: Path, make_site) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key.txt").write_text("s3cret")
    with open_store("memory://", artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1)])
        folder = Path(store.tracker.get("a" * 32).artifact_uri)
        folder.parent.mkdir(parents=True)
        folder.symlink_to(tmp_path / "elsewhere")
        site = make_site(store=store)
        assert site.ask(f"/api/runs/{'a' * 32}").json["artifacts"] == []
        store.tracker.record([RunUpdated("a" * 32, artifacts=[Artifact("key.txt", 6, "0" * 64)])])
        assert site.ask(f"/api/artifacts/{artifact_id('a' * 32, 'key.txt')}").status == 404


def test_files_of_runs_that_others_wrote_are_listed_and_sent_too(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1)])
        folder = Path(store.tracker.get("a" * 32).artifact_uri)
        (folder / "logs").mkdir(parents=True)
        (folder / "logs/output.log").write_text("printed\n")
        site = make_site(store=store)
        (file,) = site.ask(f"/api/runs/{'a' * 32}").json["artifacts"]
        assert (file["name"], file["size"]) == ("logs/output.log", 8)
        assert site.ask(f"/api/artifacts/{file['id']}").body == b"printed\n"
        assert site.ask(f"/api/runs/{'a' * 32}/log").body == b"printed\n"


def test_nobody_is_called_whatever_a_store_names(tmp_path: Path, make_site) -> None:
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, open_store("memory://", artifacts=str(tmp_path)) as store:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        address = f"http://127.0.0.1:{port}/x"
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1, tags={"mlflow.source.name": address})])
        child = RunStarted("b" * 32, "b", "Default", 2, "a" * 32, {"url": address}, {"see": address})
        store.tracker.record([child, RunEnded("b" * 32, Status.FINISHED, 3, [Point("loss", 1.0)])])
        store.tracker.record([RunUpdated("b" * 32, artifacts=[Artifact("logs/output.log", 6, "0" * 64)])])
        for uri in (address, f"s3://127.0.0.1:{port}/x", f"s3://bucket/{'b' * 32}/artifacts"):
            store.tracker._runs["b" * 32].artifact_uri = uri
            site = make_site(store=store)
            below = [f"/api/sweeps/{'a' * 32}{what}" for what in ("", "/trials", "/curves", "/importance", "/front")]
            for path in ["/api/sweeps", *below, f"/api/runs/{'b' * 32}", f"/api/runs/{'b' * 32}/log"]:
                assert site.ask(path).status in (200, 404, 409, 503, 400)
            assert site.ask(f"/api/artifacts/{artifact_id('b' * 32, 'logs/output.log')}").status != 200
        with pytest.raises(TimeoutError):
            calls.append(listener.accept())
    assert calls == []


def test_values_that_are_no_json_become_null(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1)])
        child = RunStarted("b" * 32, "b", "Default", 2, "a" * 32, {"lr": "nan", "n": "1e999"})
        points = [Point("loss", float("nan")), Point("big", float("inf")), Point("low", float("-inf"))]
        store.tracker.record([child, RunEnded("b" * 32, Status.FINISHED, 3, points)])
        site = make_site(store=store)
        for path in (
            "/api/sweeps",
            f"/api/sweeps/{'a' * 32}",
            f"/api/sweeps/{'a' * 32}/trials",
            f"/api/runs/{'b' * 32}",
        ):
            strict(site.ask(path).body)
        assert site.ask(f"/api/sweeps/{'a' * 32}/trials").json["metrics"] == {
            "loss": [None],
            "big": [None],
            "low": [None],
        }


@pytest.mark.parametrize("name", ["a/b", "a b", "trials", "x/trials", "../..", "ü", "#1", "100%", "a?b"])
def test_sweeps_of_any_name_are_found(tmp_path: Path, make_site, name: str) -> None:
    from urllib.parse import quote

    with open_store("memory://", artifacts=str(tmp_path)) as store:
        children = [RunStarted(f"{n}" * 32, f"c{n}", "Default", n, "a" * 32) for n in (1, 2)]
        store.tracker.record([RunStarted("a" * 32, name, "Default", 1), *children])
        site = make_site(store=store)
        encoded = quote(name, safe="")
        assert site.ask(f"/api/sweeps/{encoded}").json["name"] == name
        assert site.ask(f"/api/sweeps/{encoded}/trials").json["number"] == [0, 1]
        assert site.ask(f"/sweeps/{encoded}").headers["content-type"].startswith("text/html")


def test_of_two_sweeps_of_one_name_the_older_is_called_by_its_id(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        for n, run_id in enumerate(("a" * 32, "b" * 32), start=1):
            store.tracker.record(
                [RunStarted(run_id, "same", "Default", n), RunStarted(f"{n}" * 32, "c", "Default", 9, run_id)]
            )
        site = make_site(store=store)
        assert [each["ambiguous"] for each in site.ask("/api/sweeps").json["sweeps"]] == [False, True]
        assert site.ask("/api/sweeps/same").json["id"] == "b" * 32
        older = site.ask(f"/api/sweeps/{'a' * 32}").json
        assert older["ambiguous"] is True
        assert all("a" * 32 in each["command"] for each in older["commands"])


@pytest.mark.parametrize(
    "text", ["x", "[]", "null", "1", '{"seconds": "a"}', '{"complete": "x", "seconds": null}', "{", ""]
)
def test_tags_that_anybody_may_set_break_nothing(tmp_path: Path, make_site, text: str) -> None:
    keys = ("hpo.progress", "hpo.best_value", "hpo.best_trial", "hpo.promotion", "hpo.registered", "hpo.stopped_by")
    facts = SweepFacts('{"budget": []}', "h", "loss", "minimize", 1, 1, 5)
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        tags = dict.fromkeys(keys, text)
        store.tracker.record([RunStarted("a" * 32, "a", "Default", 1, tags=tags, sweep=facts)])
        site = make_site(store=store)
        for path in (
            "/api/sweeps",
            f"/api/sweeps/{'a' * 32}",
            f"/api/sweeps/{'a' * 32}/trials",
            f"/api/sweeps/{'a' * 32}/front",
        ):
            assert site.ask(path).status == 200


@pytest.mark.parametrize("name", ["--help", "@latest", "a\x1b[31m", "a\nrm -rf x", " a", "a#1", "\u202eevil"])
def test_no_name_makes_a_command_that_is_another_one(tmp_path: Path, make_site, name: str) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        children = [RunStarted(f"{n}" * 32, f"c{n}", "Default", n, "a" * 32) for n in (1, 2)]
        store.tracker.record([RunStarted("a" * 32, name, "Default", 1), *children])
        commands = make_site(store=store).ask(f"/api/sweeps/{'a' * 32}").json["commands"]
        assert all(f" {'a' * 32} " in f"{each['command']} " for each in commands)


def test_a_name_with_blanks_and_quotes_is_quoted(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        child = RunStarted("b" * 32, "c", "Default", 2, "a" * 32)
        store.tracker.record([RunStarted("a" * 32, "it's; $(x)", "Default", 1), child])
        commands = make_site(store=store).ask(f"/api/sweeps/{'a' * 32}").json["commands"]
        shown = {each["name"]: each["command"] for each in commands}
        assert shlex.split(shown["best"])[:3] == ["hpo", "best", "it's; $(x)"]


def test_models_tell_versions_and_who_was_live_when(site) -> None:
    (listed,) = site.ask("/api/models").json["models"]
    assert (listed["name"], listed["versions"], listed["aliases"]) == ("iris", 1, {"champion": 1})
    model = site.ask("/api/models/iris").json
    (version,) = model["versions"]
    assert (version["sweep"], version["trial"], version["metrics"]["auc"]) == ("iris", 1, 0.9)
    assert [(event["action"], event["who"]) for event in model["history"]] == [("register", "ana"), ("alias", "ana")]
    assert site.ask("/api/models/nobody").status == 404


def test_the_metrics_of_a_version_begin_with_what_it_was_picked_by() -> None:
    found = with_first({"accuracy": 0.9, "auc": 0.8, "fold_auc": 0.7, "test_auc": 0.6}, "auc")
    assert list(found.items()) == [("auc", 0.8), ("test_auc", 0.6), ("accuracy", 0.9), ("fold_auc", 0.7)]
    assert with_first({"loss": None}, None) == {"loss": None}


def test_curves_are_those_of_the_best_or_of_the_trials_asked_for(site) -> None:
    best = site.ask(f"/api/sweeps/{SWEEP}/curves?top=1").json
    assert [(curve["number"], curve["steps"], curve["values"]) for curve in best["curves"]] == [(1, [0, 1], [0.8, 0.9])]
    assert best["metric"] == "auc"
    asked = site.ask(f"/api/sweeps/{SWEEP}/curves?numbers=0,2").json
    assert [curve["number"] for curve in asked["curves"]] == [0]
    for odd in ("top=x", "numbers=1;2", "top=-1", "top=99999999999"):
        assert site.ask(f"/api/sweeps/{SWEEP}/curves?{odd}").status == 200


def test_few_trials_say_why_nothing_is_known_of_what_matters(site) -> None:
    answered = site.ask(f"/api/sweeps/{SWEEP}/importance").json
    assert answered["branches"] == []
    assert "10 complete trials" in answered["message"]


def test_a_fault_shows_nothing_of_itself(
    site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise ValueError("postgresql://ana:s3cret@host/db is broken")

    monkeypatch.setattr("hpo.web.application.model_list", broken)
    answered = site.ask("/api/models")
    assert (answered.status, answered.json["error"]["rule"]) == (500, "fault")
    assert answered.headers["x-frame-options"] == "DENY"
    assert b"s3cret" not in answered.body
    assert "broken" in caplog.text
    assert "s3cret" not in caplog.text


def test_answers_are_compressed_for_those_who_can_read_that(site) -> None:
    import gzip

    plain, packed = site.ask("/api/models/iris"), site.ask("/api/models/iris", accept_encoding="br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body)) == plain.json


def test_the_server_needs_nothing_heavy_and_nothing_of_mlflow() -> None:
    import subprocess

    code = "import sys, hpo.web.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mlflow", "sklearn", "hyperopt", "optuna", "pandas"} & {name.split(".")[0] for name in loaded}


def test_threads_that_ask_at_once_get_one_answer(site) -> None:
    """Two hundred readers cost one reading."""
    reads = []
    heads = site.store.watching.heads

    async def many() -> list[bytes]:
        answers = await asyncio.gather(*(site.answer(f"/api/sweeps/{SWEEP}/trials") for _ in range(200)))
        return [answered.body for answered in answers]

    site.store.watching.heads = lambda *given, **more: (reads.append(threading.get_ident()), heads(*given, **more))[1]
    try:
        bodies = asyncio.run(many())
    finally:
        del site.store.watching.heads
    assert len(set(bodies)) == 1
    assert len(reads) == 1


def test_rows_of_another_kind_take_nothing_away_but_themselves(tmp_path: Path, make_site) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with open_store(uri) as store:
        for run_id, name in (("1" * 32, "sound"), ("2" * 32, "weird"), ("3" * 32, "late")):
            facts = SweepFacts("{}", "h", "loss", "minimize", 1, 1)
            store.tracker.record([RunStarted(run_id, name, "Default", 5, sweep=facts)])
        for number in range(3):
            run_id, facts = f"{number:032x}", TrialFacts(number, {"x": number}, "COMPLETE", value=1.0)
            started = RunStarted(run_id, "t", "Default", 6, "3" * 32, trial=TrialFacts(number, {"x": number}))
            store.tracker.record([started, RunEnded(run_id, Status.FINISHED, 7, trial=facts)])
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute(f"UPDATE hpo_sweeps SET goal = 'weird' WHERE run_uuid = '{'2' * 32}'")
        connection.execute(f"UPDATE runs SET start_time = 'x', end_time = 'y' WHERE run_uuid = '{'3' * 32}'")
        connection.execute("UPDATE hpo_trials SET params = 'no json' WHERE number = 0")
        connection.execute("UPDATE hpo_trials SET value = 'text', number = 'n' WHERE number = 1")
        connection.commit()
    with open_store(uri, read_only=True) as store:
        site = make_site(store=store)
        sweeps = {each["name"]: each for each in site.ask("/api/sweeps").json["sweeps"]}
        trials = site.ask("/api/sweeps/late/trials").json
        assert site.ask("/api/sweeps/late").status == 200
        refused = [site.ask(f"/api/sweeps/weird{below}").json["error"] for below in ("", "/trials", "/front")]
    assert {name: "unreadable" in sweep for name, sweep in sweeps.items()} == {
        "sound": False,
        "weird": True,
        "late": False,
    }
    why = "the goal of loss on record is 'weird', and neither minimize nor maximize; put the sweep's row right"
    assert sweeps["weird"]["unreadable"] == why
    assert [(error["rule"], error["message"]) for error in refused] == [("sweep", why)] * 3
    assert (trials["number"], trials["unreadable"]) == ([2], 2)
