"""Object stores on bad days: errors that pass are tried again, others are said, and neither quotes a secret."""

import importlib.util
import os
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.artifacts.content import PIECE
from trackers.errors import InvalidRecord, NotPermitted, StoreUnavailable, TrackerError

_spec = importlib.util.spec_from_file_location("faulty_proxy", Path(__file__).parents[1] / "faulty_proxy.py")
assert _spec is not None
assert _spec.loader is not None
_proxies = importlib.util.module_from_spec(_spec)
sys.modules["faulty_proxy"] = _proxies
_spec.loader.exec_module(_proxies)

FILES = ArtifactFolder()
SECRETS = ("S3CRETkeyofnobody", "AKIANOBODY", "StringToSign", "Eby8vdM02xNOcq")
QUICK = {"HPO_ARTIFACTS_TIMEOUT": "20", "HPO_ARTIFACTS_RETRIES": "3"}


@pytest.fixture(params=["s3", "azure", "gs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def proxy(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A store behind a proxy that has no faults yet."""
    store = request.getfixturevalue(f"{kind}_server")
    with _proxies.running_proxy(store.port) as running:
        store.through(running.port).use(monkeypatch, **QUICK)
        yield running


@pytest.fixture
def uri(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.getfixturevalue(f'{kind}_server').uri}/{abs(hash(str(tmp_path)))}"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.txt"
    path.write_text("alpha")
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(PIECE * 2 + 1000))
    return path


def sending(kind: str) -> str:
    """The method by which a store takes an object."""
    return "POST" if kind == "gs" else "PUT"


PASSING = [
    *((kind, fault) for kind in ("s3", "azure") for fault in ("500", "503", "cut", "lose")),
    pytest.param("gs", "503", marks=pytest.mark.slow),  # gcsfs waits seconds between its tries
]


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(("kind", "fault"), PASSING, indirect=["kind"])
def test_what_passes_is_tried_again_until_the_file_is_there(
    kind: str, proxy, uri: str, small: Path, large: Path, fault: str
) -> None:
    proxy.first(2, fault, sending(kind))

    kept = [*FILES.save_file(uri, small, "small.txt"), *(FILES.save_file(uri, large, "l") if kind != "gs" else ())]

    assert FILES.verify(uri, kept) == []
    assert proxy.count(sending(kind)) > 2


@pytest.mark.everyday(without="azure")
@pytest.mark.parametrize("kind", ["s3", "azure"], indirect=True)
def test_a_request_without_an_answer_times_out_and_is_sent_again(
    proxy, uri: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPO_ARTIFACTS_TIMEOUT", "2")
    proxy.first(1, "hang")

    kept = FILES.save_file(uri, small, "small.txt")

    assert FILES.verify(uri, kept) == []


@pytest.mark.everyday(without="azure")
@pytest.mark.parametrize("kind", ["s3", "azure"], indirect=True)
@pytest.mark.parametrize("fault", ["500", "cut", "hang"])
def test_what_does_not_pass_is_said_with_place_and_remedy_after_a_bounded_number_of_tries(
    proxy, uri: str, small: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPO_ARTIFACTS_TIMEOUT", "1" if fault == "hang" else "20")
    monkeypatch.setenv("HPO_ARTIFACTS_RETRIES", "1")
    proxy.first(1000, fault)

    with pytest.raises(StoreUnavailable) as raised:
        FILES.save_file(uri, small, "small.txt")

    assert not isinstance(raised.value, NotPermitted)
    assert f"{uri}/small.txt: the object store failed, also when asked again (" in str(raised.value)
    assert {"500": "500 Internal Server Error", "cut": "no connection", "hang": "timed out"}[fault] in str(raised.value)
    assert "see that it can be reached" in str(raised.value)
    assert 1 <= proxy.count("PUT") <= 4
    assert_no_secret(raised.value)


@pytest.mark.everyday(without="azure")
@pytest.mark.parametrize("kind", ["s3", "azure"], indirect=True)
def test_a_piece_that_never_arrives_leaves_nothing_under_the_name(proxy, uri: str, large: Path) -> None:
    def cut_second(method: str, path: str) -> str:
        return "500" if method == "PUT" and proxy.count("PUT") > 1 else ""

    proxy.fault = cut_second
    with pytest.raises(StoreUnavailable):
        FILES.save_file(uri, large, "large.bin")

    proxy.fault = lambda method, path: ""
    assert FILES.names(uri) == []
    assert FILES.verify(uri, FILES.save_file(uri, large, "large.bin")) == []


@pytest.mark.parametrize("kind", ["s3"], indirect=True)
@pytest.mark.parametrize("name", ["small.txt", "large.bin"])
def test_a_byte_changed_on_the_way_is_noticed(proxy, uri: str, small: Path, large: Path, name: str) -> None:
    """moto does not compare the signed hash of the body as S3 does, so what arrives is wrong; its ETag tells."""
    proxy.first(1, "spoil")

    with pytest.raises(StoreUnavailable, match="bytes were sent and something else arrived"):
        FILES.save_file(uri, small.parent / name, name)

    proxy.fault = lambda method, path: ""
    assert FILES.verify(uri, FILES.save_file(uri, small.parent / name, "again")) == []


@pytest.mark.everyday(without="azure")
@pytest.mark.parametrize("kind", ["s3", "azure"], indirect=True)
@pytest.mark.parametrize("act", ["save", "list", "open", "delete"])
def test_access_denied_is_said_at_once_and_quotes_no_secret(proxy, uri: str, small: Path, act: str) -> None:
    FILES.save_file(uri, small, "small.txt")
    before = len(proxy.requests)
    proxy.fault = lambda method, path: "403"

    with pytest.raises(NotPermitted, match=r"access denied.*credentials come from the environment: ") as raised:
        {
            "save": lambda: FILES.save_file(uri, small, "small.txt"),
            "list": lambda: FILES.names(uri),
            "open": lambda: FILES.open(uri, "small.txt").read(),
            "delete": lambda: FILES.delete(uri, ["small.txt"]),
        }[act]()

    assert len(proxy.requests) == before + 1
    assert_no_secret(raised.value)


def assert_no_secret(error: TrackerError) -> None:
    """Neither the message nor the traceback as it is printed holds one, nor the key of the account."""
    text = "".join(traceback.format_exception(error))
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("kind", ["s3"], indirect=True)
def test_a_read_goes_on_after_a_cut_connection(proxy, uri: str, large: Path) -> None:
    kept = FILES.save_file(uri, large, "large.bin")
    proxy.first(2, "lose", "GET")

    assert FILES.verify(uri, kept) == []


@pytest.mark.parametrize("kind", ["s3"], indirect=True)
def test_an_upload_that_arrived_and_was_not_answered_is_no_second_file(proxy, uri: str, small: Path) -> None:
    proxy.first(1, "lose")

    kept = FILES.save_file(uri, small, "small.txt")

    assert FILES.sizes(uri) == {"small.txt": 5}
    assert FILES.verify(uri, kept) == []


@pytest.mark.parametrize("kind", ["s3"], indirect=True)
def test_a_fork_of_a_process_that_used_the_store_is_told_so(proxy, uri: str, small: Path, tmp_path: Path) -> None:
    """The client's threads are not in the fork, so it would wait for ever."""
    code = textwrap.dedent("""
        import os, pathlib, sys
        from trackers.artifacts import ArtifactFolder
        from trackers.errors import StoreUnavailable
        uri, path = sys.argv[1], pathlib.Path(sys.argv[2])
        ArtifactFolder().save_file(uri, path, "before.txt")
        child = os.fork()
        if not child:
            try:
                ArtifactFolder().save_file(uri, path, "after.txt")
            except StoreUnavailable as error:
                print(error, flush=True)
                os._exit(7)
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, uri, str(small)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 7, done.stderr
    assert "this process was forked from one that keeps files there" in done.stdout


@pytest.mark.parametrize(
    "place",
    [
        "s3://user:S3CRETkeyofnobody@bucket/x",
        "s3://S3CRETkeyofnobody@bucket/x",
        "wasbs://c@a.blob.core.windows.net/x?sig=S3CRETkeyofnobody",
        "gs://bucket/x#S3CRETkeyofnobody",
        "wasbs://c:S3CRETkeyofnobody@account.blob.core.windows.net/x",
    ],
)
def test_credentials_in_a_uri_are_refused_and_not_repeated(place: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord, match="must not hold credentials") as raised:
        FILES.names(place)

    assert_no_secret(raised.value)


@pytest.mark.parametrize(
    "place",
    ["s3://bucket/../other", "s3://bucket//x", "s3:///x", "wasbs://c@evil.example.com/x", "s3://b/a\nb", "gs://a b/c"],
)
def test_a_place_that_is_not_well_formed_is_refused(place: str) -> None:
    with pytest.raises(InvalidRecord, match="an artifact URI must"):
        FILES.names(place)


@pytest.mark.parametrize("place", ["http://host/x", "ssh://host/x", "simplecache::s3://bucket/x", "nope://x"])
def test_nobody_else_is_called(place: str) -> None:
    with pytest.raises(StoreUnavailable, match="artifacts are kept in folders and in s3"):
        FILES.names(place)


def test_a_missing_library_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, s3_server, gs_server
) -> None:
    for store, library, extra in ((s3_server, "obstore", "cloud"), (gs_server, "gcsfs", "gcsfs")):
        store.use(monkeypatch, HPO_ARTIFACTS_RETRIES="17")  # so that no client that is open already is taken
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(NotPermitted, match=rf"pip install 'tracked-hpo\[{extra}\]'"):
            FILES.names(store.uri)


@pytest.mark.parametrize("value", ["", "localhost:9000", "http://user:S3CRETkeyofnobody@host"])
def test_an_endpoint_that_is_none_is_said_and_not_shown(monkeypatch: pytest.MonkeyPatch, s3_server, value: str) -> None:
    s3_server.use(monkeypatch, AWS_ENDPOINT_URL_S3=value)

    with pytest.raises(NotPermitted, match=r"\$AWS_ENDPOINT_URL_S3 must be http://host") as raised:
        FILES.names(s3_server.uri)

    assert_no_secret(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "azure", "gs"])
def test_a_file_of_200_mb_takes_little_memory(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = request.getfixturevalue(f"{kind}_server")
    store.use(monkeypatch)
    code = textwrap.dedent("""
        import pathlib, resource, sys
        from trackers.artifacts import ArtifactFolder
        folder, uri = pathlib.Path(sys.argv[2]), sys.argv[1]
        (folder / "small").write_bytes(b"1")
        ArtifactFolder().save_file(uri, folder / "small", "small")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = ArtifactFolder().save_file(uri, folder / "huge.bin", "huge.bin")
        assert ArtifactFolder().verify(uri, kept) == []
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    with (tmp_path / "huge.bin").open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1 << 20))

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, f"{store.uri}/{abs(hash(str(tmp_path)))}", str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 130, "MiB more than before, of a file of 200"
