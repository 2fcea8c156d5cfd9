"""A cluster that cannot be had is known before a sweep is put on record for it."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.check_command import command as check
from hpo.config.conversion import config_hash
from hpo.config.reading import read_sweep_text
from hpo.errors import ClusterUnavailable, ConfigError, NothingFound
from hpo.executors.remote import reaching
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.reaching import check_reachable
from hpo.search import load, run

TEXT = (
    "name: a\nmetric: {name: loss}\nobjective: {python: 'operator:length_hint'}\nparameters: {x: [1, 2]}\n"
    "parallel: {backend: dask, address: 'tcp://127.0.0.1:8786'}\n"
)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of loopback at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port of loopback at which nobody listens, nor will: it is bound. It is waited for as short as can be."""
    monkeypatch.setattr(reaching, "SECONDS", 0.01)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_NEEDS", {"dask": "no_such_module"})


def test_a_cluster_that_answers_is_let_pass(taken: int) -> None:
    check_reachable("dask", Cluster(address=f"tcp://127.0.0.1:{taken}", listen="127.0.0.1"))
    check_reachable("dask", Cluster(address=f"localhost:{taken}", listen="127.0.0.1:0"))
    check_reachable("dask", Cluster())
    check_reachable("joblib:loky", Cluster())


def test_where_nobody_listens_there_is_no_cluster(free: int) -> None:
    with pytest.raises(ClusterUnavailable, match=rf"the dask scheduler at 127\.0\.0\.1:{free} is not reachable: Conn"):
        check_reachable("dask", Cluster(address=f"127.0.0.1:{free}"))


@pytest.mark.parametrize(
    ("backend", "form"),
    [("dask", "tls://{}"), ("dask", "wss://{}"), ("dask", "{}"), ("ray", "ray://{}"), ("ray", "{}")],
)
def test_an_address_is_tried_however_it_is_written(
    free: int, backend: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "_NEEDS", {})
    with pytest.raises(ClusterUnavailable, match="is not reachable: Connection refused"):
        check_reachable(backend, Cluster(address=form.format(f"127.0.0.1:{free}")))


def test_somebody_who_was_started_a_moment_ago_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr("hpo.executors.remote.reaching.time.sleep", lambda seconds: bound.listen())
        check_reachable("dask", Cluster(address=f"127.0.0.1:{bound.getsockname()[1]}"))


def test_what_can_be_no_name_of_a_host_is_a_mistake_like_any_other() -> None:
    with pytest.raises(ClusterUnavailable, match=r"scheduler at a\.\.b:1 is not reachable: 'a\.\.b' can be no name"):
        check_reachable("dask", Cluster(address="a..b:1"))
    with pytest.raises(ConfigError, match=r"parallel\.listen: nobody knows 'a\.\.b'"):
        check_reachable("dask", Cluster(listen="a..b:1"))


def test_addresses_of_ip_6_are_tried_without_their_brackets() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server:
        check_reachable("dask", Cluster(address=f"tcp://[::1]:{server.getsockname()[1]}", listen="[::1]"))
        with pytest.raises(ConfigError, match=r"name a free one there, or write listen: \[::1\] for any"):
            check_reachable("dask", Cluster(listen=f"[::1]:{server.getsockname()[1]}"))


def test_a_port_that_a_sweep_has_just_left_may_be_listened_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            server.accept()[0].close()  # who closes first keeps the port for a minute
            assert caller.recv(1) == b""
    check_reachable("dask", Cluster(listen=f"127.0.0.1:{port}"))


def test_a_cluster_that_only_its_library_can_reach_is_left_to_that(free: int) -> None:
    check_reachable("dask", Cluster(address=f"ucx://127.0.0.1:{free}"))


def test_a_port_in_use_is_named_with_the_way_out(taken: int) -> None:
    with pytest.raises(ConfigError) as raised:
        check_reachable("joblib:loky", Cluster(listen=f"127.0.0.1:{taken}"))
    assert str(raised.value) == (
        f"parallel.listen: cannot listen at 127.0.0.1:{taken} for the hosts of the cluster: port {taken} is in use, "
        "perhaps by another sweep; name a free one there, or write listen: 127.0.0.1 for any"
    )


def test_an_address_to_listen_at_that_is_not_of_this_machine_is_known_at_once() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen at 192\.0\.2\.1 for .*: this machine has no such address"):
        check_reachable("joblib:loky", Cluster(listen="192.0.2.1"))


def test_nothing_is_on_record_of_a_sweep_whose_cluster_could_not_be_reached(tmp_path: Path, free: int) -> None:
    (tmp_path / "sweep.yaml").write_text(TEXT)
    store = f"sqlite:///{tmp_path}/mlflow.db"

    with pytest.raises(ClusterUnavailable, match=r"is not reachable: .*correct parallel\.address, hpo run FILE"):
        run(tmp_path / "sweep.yaml", overrides=[f"parallel.address=127.0.0.1:{free}"], tracker=store)
    with pytest.raises(NothingFound):
        load(tracker=store)


def test_a_sweep_goes_on_where_a_corrected_address_says(tmp_path: Path, free: int) -> None:
    """Where its trials run is none of what decides them; a cluster that is away leaves the sweep as it was."""
    assert len({config_hash(read_sweep_text(TEXT, "f", [f"parallel.address={at}"])) for at in ("a:1", "b:2")}) == 1
    (tmp_path / "moving_train.py").write_text("def objective(params, trial):\n    return params['x']\n")
    (tmp_path / "sweep.yaml").write_text(TEXT.replace("operator:length_hint", "moving_train:objective"))
    store, here = f"sqlite:///{tmp_path}/mlflow.db", ["parallel.backend=serial", "parallel.address=null"]
    away = [f"parallel.address=127.0.0.1:{free}", "budget.n_trials=2"]
    run(tmp_path / "sweep.yaml", overrides=[*here, "budget.n_trials=1"], tracker=store)

    with pytest.raises(ClusterUnavailable, match=r"hpo run FILE, .*; go on with: hpo resume a --tracker"):
        run(tmp_path / "sweep.yaml", overrides=away, tracker=store)
    assert load(tracker=store).counts() == {"COMPLETE": 1}
    assert run(tmp_path / "sweep.yaml", overrides=[*here, "budget.n_trials=2"], tracker=store).counts() == {
        "COMPLETE": 2
    }


def test_a_library_that_is_not_installed_is_missed_before_anything_is_announced(
    tmp_path: Path, without_dask: None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sweep.yaml").write_text(TEXT)
    caplog.set_level(logging.INFO)

    with pytest.raises(ConfigError, match=r'dask is not installed here: pip install "tracked-hpo\[dask\]"'):
        run(tmp_path / "sweep.yaml", tracker=f"sqlite:///{tmp_path}/mlflow.db")
    assert caplog.text == ""


def test_a_check_says_what_this_machine_lacks_for_a_good_file(tmp_path: Path, without_dask: None) -> None:
    (tmp_path / "sweep.yaml").write_text(TEXT)

    done = CliRunner().invoke(check, [str(tmp_path / "sweep.yaml")])

    assert done.exit_code == 0
    assert "sweep.yaml: note: parallel.backend: dask is not installed here: pip install" in done.stderr
    assert "sweep.yaml: ok - " in done.stdout
