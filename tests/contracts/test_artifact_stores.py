"""What every artifact store promises: a local folder, memory, S3, Google Cloud Storage, Azure."""

import hashlib
import os
import pickle
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from joblib.externals.loky import ProcessPoolExecutor

from trackers import failpoints
from trackers.artifacts import ArtifactFolder
from trackers.artifacts.content import PIECE
from trackers.errors import InvalidRecord, NotFound, NotPermitted, StoreUnavailable
from trackers.records import Artifact

ARTIFACTS = ArtifactFolder()
KINDS = ("local", "memory", "s3", "gs", "azure")
REMOTE = ("s3", "gs", "azure")
ODD_NAMES = (
    "a b.txt",
    "é.txt",
    "100%.txt",
    "%41.txt",
    "#1.txt",
    "a+b.txt",
    "q?.txt",
    "[x]{y}.txt",
    "*",
    "~t",
    "a:b",
    "d/e.f",
)


@pytest.fixture(params=KINDS)
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of the store that nobody else uses, reached by the environment alone."""
    return root_of(request.param, request, tmp_path, monkeypatch)


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return root_of(request.param, request, tmp_path, monkeypatch)


def root_of(kind: str, request: pytest.FixtureRequest, folder: Path, patch: pytest.MonkeyPatch) -> str:
    if kind == "local":
        return str(folder / "mlruns")
    if kind == "memory":
        return f"memory://{secrets.token_hex(8)}/mlruns"
    store = request.getfixturevalue(f"{kind}_server")
    store.use(patch)
    return f"{store.uri}/{secrets.token_hex(8)}"


@pytest.fixture
def uri(root: str) -> str:
    return f"{root}/1/{'0' * 31}1/artifacts"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"alpha")
    (folder / "deep" / "er" / "b.bin").write_bytes(bytes(range(256)) * 900)
    return folder


@pytest.fixture
def failing() -> Iterator[None]:
    """The second piece that is sent cannot be."""
    failpoints.arm({failpoints.FAILPOINT: "artifact.half:raise:EIO:2"})
    yield
    failpoints.arm({})


def large(folder: Path, pieces: float = 2.5) -> Path:
    path = folder / "large.bin"
    path.write_bytes(os.urandom(int(PIECE * pieces)))
    return path


def read(uri: str, name: str) -> bytes:
    with ARTIFACTS.open(uri, name) as file:
        return file.read()


def test_a_kept_file_is_there_with_its_size_and_hash(uri: str, source: Path) -> None:
    kept = ARTIFACTS.save_file(uri, source / "a.txt", "notes/a.txt")

    assert kept == [Artifact("notes/a.txt", 5, hashlib.sha256(b"alpha").hexdigest())]
    assert read(uri, "notes/a.txt") == b"alpha"
    assert ARTIFACTS.sizes(uri) == {"notes/a.txt": 5}


def test_a_kept_folder_holds_all_its_files_by_sorted_name(uri: str, source: Path) -> None:
    kept = ARTIFACTS.save_file(uri, source, "all")

    assert [artifact.path for artifact in kept] == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.names(uri) == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.verify(uri, kept) == []


def test_odd_names_and_an_empty_file_come_back_as_they_were(uri: str, tmp_path: Path) -> None:
    for name in ODD_NAMES:
        path = tmp_path / "odd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "odd" / "empty").touch()

    kept = ARTIFACTS.save_file(uri, tmp_path / "odd", "odd")

    assert ARTIFACTS.names(uri) == sorted(f"odd/{name}" for name in (*ODD_NAMES, "empty"))
    assert ARTIFACTS.verify(uri, kept) == []
    assert [read(uri, f"odd/{name}") for name in ODD_NAMES] == [name.encode() for name in ODD_NAMES]
    ARTIFACTS.delete(uri, ["odd/*", "odd/[x]{y}.txt"])  # no patterns
    assert len(ARTIFACTS.names(uri)) == len(kept) - 2
    ARTIFACTS.delete(uri, [artifact.path for artifact in kept])
    assert ARTIFACTS.names(uri) == []


def test_a_file_of_several_pieces_arrives_whole(uri: str, tmp_path: Path) -> None:
    path = large(tmp_path)

    kept = ARTIFACTS.save_file(uri, path, "large.bin")

    assert (kept[0].size, kept[0].sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert ARTIFACTS.verify(uri, kept) == []
    with ARTIFACTS.open(uri, "large.bin") as file:
        file.seek(PIECE - 3)
        assert file.read(6) == path.read_bytes()[PIECE - 3 : PIECE + 3]


def test_the_same_name_again_holds_what_was_kept_last(uri: str, source: Path) -> None:
    before = ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")
    (source / "a.txt").write_text("gamma")

    after = ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")

    assert (ARTIFACTS.verify(uri, before), ARTIFACTS.verify(uri, after)) == (["a.txt"], [])


def test_what_is_not_there_is_not_found(uri: str, tmp_path: Path) -> None:
    assert ARTIFACTS.names(uri) == []
    with pytest.raises(NotFound, match=r"x\.txt"):
        ARTIFACTS.open(uri, "x.txt")
    with pytest.raises(NotFound, match="absent"):
        ARTIFACTS.save_file(uri, tmp_path / "absent", "x")
    assert ARTIFACTS.verify(uri, [Artifact("x.txt", 1, "0" * 64)]) == ["x.txt"]


def test_deleting_takes_the_named_files_alone_and_what_is_gone_is_no_error(uri: str, source: Path) -> None:
    ARTIFACTS.save_file(uri, source, "all")

    ARTIFACTS.delete(uri, ["all/never/was", "all/deep/er/b.bin"])
    assert ARTIFACTS.names(uri) == ["all/a.txt"]
    ARTIFACTS.delete(uri, ["all/a.txt", "all/deep/er/b.bin"])
    ARTIFACTS.delete(uri, [])
    assert ARTIFACTS.names(uri) == []


def test_a_run_whose_name_begins_like_another_ones_is_left_alone(root: str, source: Path) -> None:
    kept = {run: ARTIFACTS.save_file(f"{root}/{run}", source / "a.txt", "a.txt") for run in ("run1", "run10", "run1x")}

    assert ARTIFACTS.names(f"{root}/run1") == ["a.txt"]
    ARTIFACTS.delete(f"{root}/run1", ARTIFACTS.names(f"{root}/run1"))

    assert ARTIFACTS.names(root) == ["run10/a.txt", "run1x/a.txt"]
    assert ARTIFACTS.verify(f"{root}/run10", kept["run10"]) == []


@pytest.mark.parametrize("name", ["", "../x", "a/../../x", "/a", "a//b", "a\nb", "a\\b", "x.part"])
def test_a_name_that_leads_elsewhere_is_refused(uri: str, source: Path, name: str) -> None:
    for act in (
        lambda: ARTIFACTS.save_file(uri, source / "a.txt", name),
        lambda: ARTIFACTS.open(uri, name),
        lambda: ARTIFACTS.delete(uri, [name]),
    ):
        with pytest.raises(InvalidRecord, match="artifact's name"):
            act()
    assert ARTIFACTS.names(uri) == []


@pytest.mark.usefixtures("failing")
def test_an_upload_that_fails_half_way_leaves_what_was_there(uri: str, tmp_path: Path) -> None:
    path = large(tmp_path, 1.5)
    with pytest.raises(StoreUnavailable):
        ARTIFACTS.save_file(uri, path, "large.bin")
    assert ARTIFACTS.names(uri) == []

    kept = ARTIFACTS.save_file(uri, path, "large.bin")

    assert ARTIFACTS.verify(uri, kept) == []


def test_it_works_from_a_worker_process(uri: str, source: Path) -> None:
    if uri.startswith("memory"):
        pytest.skip("memory is this process's own")
    ARTIFACTS.save_file(uri, source / "a.txt", "here.txt")
    with ProcessPoolExecutor(max_workers=1) as pool:
        kept = pool.submit(ARTIFACTS.save_file, uri, source / "a.txt", "there.txt").result(60)

    assert pickle.loads(pickle.dumps(ARTIFACTS)) == ARTIFACTS
    assert ARTIFACTS.names(uri) == ["here.txt", "there.txt"]
    assert ARTIFACTS.verify(uri, kept) == []


def test_a_root_confines_it(root: str, source: Path) -> None:
    confined = ArtifactFolder(root=f"{root}/1")

    assert confined.save_file(f"{root}/1/run/artifacts", source / "a.txt", "a.txt")
    for place in (root, f"{root}/10", "s3://elsewhere/1", "/tmp/1", "memory://1"):
        with pytest.raises(InvalidRecord, match="must lie below"):
            confined.names(place)


def test_that_it_can_be_written_is_found_out_without_a_trace(root: str) -> None:
    ARTIFACTS.check_writable(root)

    assert ARTIFACTS.names(root) == []


def test_a_model_is_loaded_with_its_checksums(uri: str) -> None:
    from sklearn.dummy import DummyRegressor

    saved, files = ARTIFACTS.save_model(uri, DummyRegressor().fit([[0]], [3]), name="model", run_id="0" * 32)

    assert ARTIFACTS.load_model(uri, saved.path, files).predict([[1]]) == [3]  # type: ignore[attr-defined]


# what only object stores do


def test_a_wrong_bucket_is_said_before_anything_is_kept(remote: str, source: Path) -> None:
    elsewhere = remote.replace("artifacts", "no-such-bucket", 1)

    for act in (
        lambda: ARTIFACTS.check_writable(elsewhere),
        lambda: ARTIFACTS.save_file(f"{elsewhere}/r", source / "a.txt", "a.txt"),
    ):
        with pytest.raises(NotPermitted, match=r"there is no .* 'no-such-bucket'; make it, or name another"):
            act()


@pytest.mark.parametrize(
    "remote", [pytest.param(name, marks=pytest.mark.slow) for name in ("s3", "azure", "gs")], indirect=True
)
def test_more_than_a_page_of_files_is_listed_and_deleted(remote: str, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(1001):
        (many / str(number)).write_text(str(number))
    (many / "0").rename(tmp_path / "one")
    uri, neighbour = f"{remote}/run1/artifacts", f"{remote}/run1/artifacts-2"
    ARTIFACTS.save_file(uri, many, "many")
    ARTIFACTS.save_file(uri, tmp_path / "one", "many/0")
    ARTIFACTS.save_file(neighbour, tmp_path / "one", "one")

    names = ARTIFACTS.names(uri)
    assert sorted(names) == sorted(f"many/{number}" for number in range(1001))
    ARTIFACTS.delete(uri, names)

    assert ARTIFACTS.names(uri) == []
    assert ARTIFACTS.names(neighbour) == ["one"]


def test_only_what_is_missing_or_different_is_sent_again(
    remote: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "large.bin").write_bytes(bytes(PIECE + 5))
    kept = ARTIFACTS.save_file(remote, source, "all")
    (source / "a.txt").write_text("omega")  # as long as before
    (source / "new.txt").write_text("new")
    sent = counting(monkeypatch)

    again = ARTIFACTS.save_file(remote, source, "all")

    assert len(kept) == 3
    assert sorted(sent) == ["a.txt", "new.txt"]
    assert ARTIFACTS.verify(remote, again) == []


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are sent from now on."""
    from trackers.artifacts.content import Content

    sent: list[str] = []
    real = Content.pieces
    monkeypatch.setattr(Content, "pieces", lambda self: (sent.append(self.source.name), real(self))[1])
    return sent


def test_a_file_that_changes_while_it_is_sent_is_not_kept(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path, 1.5)

    def write_more(_: str) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr("trackers.artifacts.content.reach", write_more)
    with pytest.raises(InvalidRecord, match=r"large\.bin was changed while it was being kept"):
        ARTIFACTS.save_file(remote, path, "large.bin")

    assert ARTIFACTS.names(remote) == []
