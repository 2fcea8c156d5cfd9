"""F14: an MLflow server that is dead, slow, failing or killed costs a sweep nothing and gets everything later, once."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpo.errors import SweepOwned
from hpo.mirrors.sending import sending, standing_of
from trackers.errors import MirrorUnavailable
from trackers.mlflow_asking import ENVIRONMENT
from trackers.opening import open_store

SECRET = "S3CRET-4711"
NO_WAIT = {"HPO_MIRROR_WAIT": "0"}
IN_TIME = {"HPO_MIRROR_WAIT": "120", "HPO_MIRROR_NICE": "0"}
TRIALS = 6
Hpo = Callable[..., Any]
Send = Callable[[str], str]


def mirror_to(folder: Any, uri: str, name: str, **sections: Any) -> None:
    """The folder's sweep, with a mirror, in an experiment of its own."""
    folder.write(experiment=name, tracker={"mirror": uri}, **sections)


def remote(server: Any, name: str) -> Counter[str]:
    """How many active runs there are of each name; parents are called faults."""
    return Counter(run["info"]["run_name"] for run in server.runs(name))


def once() -> Counter[str]:
    return Counter(["faults", *(f"trial-{number}" for number in range(TRIALS))])


def states(server: Any, name: str) -> set[str]:
    return {run["info"]["status"] for run in server.runs(name)}


def mirror_processes(folder: Path, living: Callable[[Path], list[int]]) -> list[int]:
    """The processes that send what is in the folder."""
    found = []
    for pid in living(folder):
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"hpo.mirrors" in command.read_bytes():
            found.append(pid)
    return found


@pytest.fixture
def hpo(zygote: Any, sweep_folder: Any) -> Hpo:
    """`hpo("run", "sweep.yaml")` in the sweep's folder."""

    def run(*arguments: str, **environment: str) -> Any:
        return zygote.hpo(sweep_folder.path, *arguments, environment=environment)

    return run


@pytest.fixture
def send(sweep_folder: Any, monkeypatch: pytest.MonkeyPatch) -> Send:
    """`send(uri)`: what `hpo mirror` does, in this process; says what was wrong with the server, "" for nothing."""
    for variable, text in {**ENVIRONMENT, "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}.items():
        monkeypatch.setenv(variable, text)

    def to(uri: str) -> str:
        sweep = sweep_folder.sweep()
        try:
            with open_store(sweep_folder.uri) as store, sending(store, uri, sweep.id, sweep.name) as mirroring:
                mirroring.send_all()
        except MirrorUnavailable as error:
            return str(error)
        assert not mirroring.sent.refused, mirroring.sent.refused
        return ""

    return to


def standing(folder: Any, uri: str) -> tuple[int, int]:
    """How much of the sweep was sent there, and how much is pending."""
    with open_store(folder.uri, read_only=True) as store:
        found = standing_of(store, uri, folder.sweep().id)
    return found.sent, found.pending


@pytest.mark.slow
@pytest.mark.parametrize("action", ["cut", "fail", "lose", "hang"])
def test_a_server_in_trouble_is_given_everything_later(
    action: str,
    sweep_folder: Any,
    hpo: Hpo,
    send: Send,
    mlflow_server: Any,
    mlflow_proxy: Any,
    fresh_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror_to(sweep_folder, mlflow_proxy.uri, fresh_name)
    assert hpo("run", "sweep.yaml", **NO_WAIT).code == 0
    mlflow_proxy.rule = lambda _: action
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    assert "cannot be reached" in send(mlflow_proxy.uri)
    assert standing(sweep_folder, mlflow_proxy.uri) == (0, TRIALS + 1)

    mlflow_proxy.released.set()
    mlflow_proxy.rule = lambda _: "pass"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    assert send(mlflow_proxy.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()
    assert states(mlflow_server, fresh_name) == {"FINISHED"}
    assert standing(sweep_folder, mlflow_proxy.uri) == (TRIALS + 1, 0)


@pytest.mark.parametrize("action", ["fail", pytest.param("hang", marks=pytest.mark.slow)])
def test_a_sweep_beside_a_server_in_trouble_ends_well_with_one_warning(
    action: str, sweep_folder: Any, hpo: Hpo, mlflow_proxy: Any, fresh_name: str
) -> None:
    mirror_to(sweep_folder, mlflow_proxy.uri, fresh_name)
    mlflow_proxy.rule = lambda _: action
    run = hpo("run", "sweep.yaml", HPO_MIRROR_WAIT="120", HPO_MIRROR_NICE="0", MLFLOW_HTTP_REQUEST_TIMEOUT="1")
    assert run.code == 0
    assert sweep_folder.states() == ["COMPLETE"] * TRIALS
    assert run.stderr.count("the sweep goes on") == 1
    assert f"mlflow sync pending: {TRIALS + 1}; send it with: hpo mirror faults" in run.stderr


def test_where_nobody_listens_the_driver_does_not_wait(sweep_folder: Any, hpo: Hpo, fresh_name: str) -> None:
    mirror_to(sweep_folder, "http://127.0.0.1:9", fresh_name)
    run = hpo("run", "sweep.yaml", HPO_MIRROR_WAIT="120", HPO_MIRROR_NICE="0")
    assert (run.code, sweep_folder.states()) == (0, ["COMPLETE"] * TRIALS)
    assert "warning: mirror: http://127.0.0.1:9 cannot be reached" in run.stderr
    again = hpo("run", "sweep.yaml")
    assert f"mlflow sync pending: {TRIALS + 1}; send it with: hpo mirror faults" in again.stderr


@pytest.mark.slow
def test_answers_that_are_lost_make_no_run_twice(
    sweep_folder: Any, hpo: Hpo, send: Send, mlflow_server: Any, mlflow_proxy: Any, fresh_name: str
) -> None:
    mirror_to(sweep_folder, mlflow_proxy.uri, fresh_name)
    created: list[str] = []

    def lose_every_second(path: str) -> str:
        if path.endswith("runs/create"):
            created.append(path)
            return "lose" if len(created) % 2 else "pass"
        return "pass"

    mlflow_proxy.rule = lose_every_second
    hpo("run", "sweep.yaml", **NO_WAIT)
    answers = [send(mlflow_proxy.uri) for _ in range(2 * TRIALS)]
    assert answers[-1] == ""
    assert any("cut" in answer for answer in answers)
    assert remote(mlflow_server, fresh_name) == once()


def test_a_run_that_a_slow_server_makes_after_all_is_taken_away(
    sweep_folder: Any, hpo: Hpo, send: Send, mlflow_server: Any, mlflow_proxy: Any, fresh_name: str
) -> None:
    mirror_to(sweep_folder, mlflow_proxy.uri, fresh_name)
    hpo("run", "sweep.yaml", **NO_WAIT)
    assert send(mlflow_proxy.uri) == ""
    parent, first, *_ = sorted(mlflow_server.runs(fresh_name), key=lambda run: run["info"]["run_name"])
    tags = [{"key": key, "value": first["tags"][key]} for key in ("hpo.run_id", "mlflow.parentRunId")]
    late = {"experiment_id": parent["info"]["experiment_id"], "run_name": "trial-0", "start_time": 1, "tags": tags}
    mlflow_server.ask("runs/create", late)
    forget(sweep_folder, mlflow_proxy.uri, [first["tags"]["hpo.run_id"]])

    assert send(mlflow_proxy.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()


def forget(folder: Any, mirror: str, run_ids: Sequence[str]) -> None:
    """As if what was sent had not been noted any more."""
    import sqlite3

    connection = sqlite3.connect(folder.database)
    with connection:
        for run_id in run_ids:
            connection.execute("DELETE FROM hpo_mirrored WHERE mirror = ? AND key = ?", (mirror, run_id))
    connection.close()


@pytest.mark.slow
def test_a_driver_killed_leaves_no_mirror_behind_and_the_rest_follows(
    sweep_folder: Any,
    hpo: Hpo,
    send: Send,
    start_driver: Any,
    wait_for: Any,
    living: Any,
    mlflow_server: Any,
    fresh_name: str,
) -> None:
    mirror_to(sweep_folder, mlflow_server.uri, fresh_name)
    sweep_folder.hold(3)
    driver = start_driver(environment=IN_TIME)
    wait_for(lambda: sweep_folder.held(3), 120)
    wait_for(lambda: remote(mlflow_server, fresh_name)["trial-2"], 120, "the mirror")
    assert mirror_processes(sweep_folder.path, living)
    driver.kill9()
    wait_for(lambda: not mirror_processes(sweep_folder.path, living), 60, "the mirror's end")

    sweep_folder.release(3)
    resumed = hpo("resume", "faults", **NO_WAIT)
    assert resumed.code == 0, resumed.stderr
    assert send(mlflow_server.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()
    assert states(mlflow_server, fresh_name) == {"FINISHED"}


@pytest.mark.slow
def test_a_mirror_killed_while_the_sweep_runs_does_not_touch_it(
    sweep_folder: Any,
    hpo: Hpo,
    send: Send,
    start_driver: Any,
    wait_for: Any,
    living: Any,
    mlflow_server: Any,
    fresh_name: str,
) -> None:
    mirror_to(sweep_folder, mlflow_server.uri, fresh_name)
    sweep_folder.hold(3)
    driver = start_driver(environment=IN_TIME)
    wait_for(lambda: sweep_folder.held(3), 120)
    wait_for(lambda: remote(mlflow_server, fresh_name)["trial-1"], 120, "the mirror")
    for pid in mirror_processes(sweep_folder.path, living):
        os.kill(pid, signal.SIGKILL)
    sweep_folder.release(3)
    assert driver.wait() == 0
    assert "mlflow sync pending" in driver.stderr
    assert sweep_folder.states() == ["COMPLETE"] * TRIALS

    assert send(mlflow_server.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()


def test_ctrl_c_ends_sweep_and_mirror(
    sweep_folder: Any, hpo: Hpo, start_driver: Any, wait_for: Any, living: Any, mlflow_server: Any, fresh_name: str
) -> None:
    mirror_to(sweep_folder, mlflow_server.uri, fresh_name)
    sweep_folder.hold(3)
    driver = start_driver(environment=IN_TIME)
    wait_for(lambda: sweep_folder.held(3), 120)
    driver.send_group(signal.SIGINT)
    sweep_folder.release(3)
    assert driver.wait() == 130
    assert "mlflow sync pending" in driver.stderr
    assert not living(sweep_folder.path)


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(
    "point",
    [
        pytest.param("mirror.before_create:kill9:4", marks=pytest.mark.slow),
        pytest.param("mirror.after_create:kill9:1", marks=pytest.mark.slow),
        "mirror.after_create:kill9:4",
        pytest.param("mirror.before_note:kill9:3", marks=pytest.mark.slow),
        pytest.param("mirror.after_model:kill9:1", marks=pytest.mark.slow),
        "mirror.after_version:kill9:1",
    ],
)
def test_a_mirror_killed_at_any_point_is_followed_by_one_that_makes_nothing_twice(
    point: str, sweep_folder: Any, hpo: Hpo, send: Send, mlflow_server: Any, fresh_name: str
) -> None:
    sections = {"objective": {"python": "fault_objective:with_model"}, "register": {"name": fresh_name}}
    sweep_folder.write(experiment=fresh_name, tracker={"log_models": "best"}, **sections)
    run = hpo("run", "sweep.yaml")
    assert run.code == 0, run.stderr
    to = ("mirror", "faults", "--to", mlflow_server.uri)
    assert hpo(*to, HPO_FAILPOINT=point).code == 137

    assert send(mlflow_server.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()
    found = mlflow_server.ask("model-versions/search", filter=f"name = '{fresh_name}'")["model_versions"]
    assert len(found) == 1
    model = mlflow_server.ask("registered-models/get", name=fresh_name)["registered_model"]
    assert {alias["alias"]: alias["version"] for alias in model["aliases"]} == {"champion": "1"}
    experiment = {"experiment_ids": [mlflow_server.runs(fresh_name)[0]["info"]["experiment_id"]]}
    assert len(mlflow_server.ask("logged-models/search", experiment)["models"]) == 1


def test_two_that_send_at_once_are_one(
    sweep_folder: Any, hpo: Hpo, send: Send, mlflow_server: Any, mlflow_proxy: Any, fresh_name: str
) -> None:
    mirror_to(sweep_folder, mlflow_proxy.uri, fresh_name)
    hpo("run", "sweep.yaml", **NO_WAIT)
    sweep = sweep_folder.sweep()
    with open_store(sweep_folder.uri) as store, sending(store, mlflow_proxy.uri, sweep.id, sweep.name) as first:
        with pytest.raises(SweepOwned, match="another process is sending"):
            send(mlflow_proxy.uri)
        first.send_all()
    assert send(mlflow_proxy.uri) == ""
    assert remote(mlflow_server, fresh_name) == once()


def test_no_secret_that_is_kept_off_the_record_goes_to_a_server(
    sweep_folder: Any, hpo: Hpo, mlflow_proxy: Any, fresh_name: str
) -> None:
    (sweep_folder.path / "telling.py").write_text(
        "import os, fault_objective\n"
        "def objective(params, trial):\n"
        "    print('token', os.environ['MY_TOKEN'], params['db_password'])\n"
        "    if trial.number == 1:\n"
        "        raise ValueError('no entry with ' + os.environ['MY_TOKEN'])\n"
        "    return fault_objective.objective(params, trial)\n"
    )
    mirror_to(
        sweep_folder,
        mlflow_proxy.uri,
        fresh_name,
        objective={"python": "telling:objective", "secret_env": ["MY_TOKEN"]},
        parameters={"db_password": SECRET},
        tags={"api_key": SECRET},
    )
    run = hpo("run", "sweep.yaml", MY_TOKEN=f"{SECRET}-too", **IN_TIME)
    assert run.code == 0, run.stderr

    assert "sent to" in run.stderr, run.stderr
    assert mlflow_proxy.count("runs/create") == TRIALS + 1
    assert any(b"no entry with ***" in heard for heard in mlflow_proxy.heard)
    assert not [heard for heard in mlflow_proxy.heard if SECRET.encode() in heard]


@pytest.mark.slow
def test_a_server_killed_in_the_middle_and_started_again_gets_everything(
    sweep_folder: Any,
    hpo: Hpo,
    send: Send,
    start_driver: Any,
    wait_for: Any,
    tmp_path_factory: Any,
    mlflow_server: Any,
    fresh_name: str,
) -> None:
    """The real server itself, not a proxy before it."""
    own = type(mlflow_server)(tmp_path_factory.mktemp("own"), free_port())
    try:
        own.start()
        mirror_to(sweep_folder, own.uri, fresh_name)
        sweep_folder.hold(3)
        driver = start_driver(environment=IN_TIME)
        wait_for(lambda: remote(own, fresh_name)["trial-2"], 120, "the mirror")
        own.kill()
        sweep_folder.release(3)
        wait_for(lambda: sweep_folder.states() == ["COMPLETE"] * TRIALS, 60)
        driver.wait(120)
        assert "cannot be reached" in driver.stderr

        own.start()
        assert send(own.uri) == ""
        assert remote(own, fresh_name) == once()
        assert states(own, fresh_name) == {"FINISHED"}
    finally:
        own.kill()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_a_store_knows_of_each_mirror_for_itself(
    sweep_folder: Any, hpo: Hpo, mlflow_server: Any, mlflow_proxy: Any, fresh_name: str
) -> None:
    sweep_folder.write(experiment=fresh_name, tracker={"mirror": [mlflow_proxy.uri, "http://127.0.0.1:9"]})
    run = hpo("run", "sweep.yaml", **NO_WAIT)
    assert run.code == 0
    assert hpo("mirror", "faults").code == 75
    assert remote(mlflow_server, fresh_name) == once()
    shown = hpo("show", "faults").stdout
    assert f"{mlflow_proxy.uri}: {TRIALS + 1} sent, 0 pending" in shown
    assert f"http://127.0.0.1:9: 0 sent, {TRIALS + 1} pending" in shown
    with open_store(sweep_folder.uri, read_only=True) as store:
        assert store.outbox is not None
        assert not store.outbox.marks("http://127.0.0.1:9", "run", [sweep_folder.sweep().id])
