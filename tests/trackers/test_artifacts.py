"""The files of runs: whole or absent, confined, verified."""

import errno
import hashlib
import os
import pickle
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.errors import InvalidRecord, ModelError, NotFound, StoreUnavailable
from trackers.records import Artifact

ARTIFACTS = ArtifactFolder()


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "mlruns" / "1" / "abc" / "artifacts")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"alpha")
    (folder / "deep" / "er" / "b.bin").write_bytes(bytes(range(256)) * 9000)
    return folder


def test_a_kept_file_is_there_with_its_size_and_hash(uri: str, source: Path) -> None:
    kept = ARTIFACTS.save_file(uri, source / "a.txt", "notes/a.txt")

    assert kept == [Artifact("notes/a.txt", 5, hashlib.sha256(b"alpha").hexdigest())]
    with ARTIFACTS.open(uri, "notes/a.txt") as file:
        assert file.read() == b"alpha"


def test_a_kept_folder_holds_all_its_files_by_sorted_name(uri: str, source: Path) -> None:
    kept = ARTIFACTS.save_file(uri, source, "all")

    assert [artifact.path for artifact in kept] == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.names(uri) == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.verify(uri, kept) == []


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "a\nb", "..", "a\\b", "x.part", "\x1b[2J"],
)
def test_a_name_that_is_not_a_tidy_relative_path_is_refused(uri: str, source: Path, name: str) -> None:
    with pytest.raises(InvalidRecord, match="artifact's name"):
        ARTIFACTS.save_file(uri, source / "a.txt", name)
    with pytest.raises(InvalidRecord):
        ARTIFACTS.open(uri, name)
    with pytest.raises(InvalidRecord):
        ARTIFACTS.delete(uri, [name])


@pytest.mark.parametrize("place", ["relative/path", "file://host/path", "", "/a\0b"])
def test_a_place_that_is_not_absolute_is_refused(source: Path, place: str) -> None:
    with pytest.raises(InvalidRecord, match="artifact URI"):
        ARTIFACTS.save_file(place, source / "a.txt", "a.txt")


def test_a_file_uri_and_a_plain_path_are_the_same_place(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "with space %41 :: é"
    ARTIFACTS.save_file(str(folder), source / "a.txt", "a.txt")

    assert ARTIFACTS.names(folder.as_uri()) == ["a.txt"]
    assert (folder / "a.txt").read_bytes() == b"alpha"


def test_links_in_a_folder_are_kept_only_if_they_lead_to_its_own_files(uri: str, source: Path) -> None:
    (source / "inside").symlink_to(source / "a.txt")
    assert "all/inside" in [artifact.path for artifact in ARTIFACTS.save_file(uri, source, "all")]
    assert not Path(uri, "all", "inside").is_symlink()

    (source / "outside").symlink_to("/etc/hostname")
    with pytest.raises(InvalidRecord, match="outside is a link"):
        ARTIFACTS.save_file(uri, source, "more")

    (source / "outside").unlink()
    (source / "folder").symlink_to("/etc")
    with pytest.raises(InvalidRecord, match="folder is a link"):
        ARTIFACTS.save_file(uri, source, "more")


def test_a_link_among_kept_files_leads_nowhere(uri: str, source: Path, tmp_path: Path) -> None:
    ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")
    Path(uri, "secret").symlink_to(tmp_path)

    for act in (
        lambda: ARTIFACTS.open(uri, "secret/source/a.txt"),
        lambda: ARTIFACTS.delete(uri, ["secret/source/a.txt"]),
    ):
        with pytest.raises(InvalidRecord, match="leads out"):
            act()
    assert (source / "a.txt").exists()
    assert ARTIFACTS.verify(uri, [Artifact("secret/source/a.txt", 5, hashlib.sha256(b"alpha").hexdigest())]) != []


def test_with_a_root_other_places_are_refused(tmp_path: Path, uri: str, source: Path) -> None:
    confined = ArtifactFolder(root=str(tmp_path / "mlruns"))

    assert len(confined.save_file(uri, source / "a.txt", "a.txt")) == 1
    for place in (str(tmp_path / "other"), str(tmp_path / "mlruns-2"), f"{tmp_path}/mlruns/../other", "memory://x"):
        with pytest.raises(InvalidRecord, match="must lie below"):
            confined.save_file(place, source / "a.txt", "a.txt")


def test_missing_and_altered_files_are_named(uri: str, source: Path) -> None:
    kept = ARTIFACTS.save_file(uri, source, "all")
    Path(uri, "all/a.txt").write_bytes(b"alphb")
    Path(uri, "all/deep/er/b.bin").unlink()

    assert ARTIFACTS.verify(uri, kept) == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.verify(uri + "x", kept[:1]) == ["all/a.txt"]


def test_a_copy_that_fails_half_way_leaves_the_old_file_and_no_rest(
    uri: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (source / "a.txt").write_bytes(b"changed")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(StoreUnavailable, match="No space left"):
            ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")

    assert ARTIFACTS.verify(uri, kept) == []
    assert [path.name for path in Path(uri).iterdir()] == ["a.txt"]


def test_a_rest_of_a_killed_writer_is_not_listed(uri: str, source: Path) -> None:
    ARTIFACTS.save_file(uri, source / "a.txt", "a.txt")
    Path(uri, ".0011.part").write_bytes(b"half")

    assert ARTIFACTS.names(uri) == ["a.txt"]


def test_every_file_and_its_folder_is_synced_before_the_call_returns(
    uri: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real(fd)))

    ARTIFACTS.save_file(uri, source, "all")

    folders = {path for path in synced if not path.endswith(".part")}
    assert len([path for path in synced if path.endswith(".part")]) == 2
    assert {f"{uri}/all", f"{uri}/all/deep/er", f"{uri}/all/deep", uri, str(Path(uri).parent)} <= folders


def test_deleting_takes_the_files_and_the_folders_left_empty(uri: str, source: Path) -> None:
    ARTIFACTS.save_file(uri, source, "all")

    ARTIFACTS.delete(uri, ["all/deep/er/b.bin", "all/never/was"])
    assert [path.name for path in Path(uri, "all").iterdir()] == ["a.txt"]

    ARTIFACTS.delete(uri, ["all/a.txt", "all/deep/er/b.bin"])
    assert ARTIFACTS.names(uri) == []
    assert not Path(uri, "all").exists()


def test_what_is_not_there_is_not_found(uri: str, tmp_path: Path) -> None:
    assert ARTIFACTS.names(uri) == []
    with pytest.raises(NotFound, match=r"x\.txt"):
        ARTIFACTS.open(uri, "x.txt")
    with pytest.raises(NotFound, match="absent"):
        ARTIFACTS.save_file(uri, tmp_path / "absent", "x")
    with pytest.raises(ModelError, match="no files of a model 'model'"):
        ARTIFACTS.load_model(uri, "model", [])


def test_it_can_be_pickled_to_workers(uri: str, source: Path) -> None:
    copy = pickle.loads(pickle.dumps(ArtifactFolder(root=uri)))

    assert copy == ArtifactFolder(root=uri)
    assert copy.save_file(uri, source / "a.txt", "a.txt")


def test_another_fsspec_file_system_keeps_files_the_same_way(source: Path) -> None:
    place = "memory://bucket/runs/abc/artifacts"

    kept = ARTIFACTS.save_file(place, source, "all")

    assert ARTIFACTS.names(place) == ["all/a.txt", "all/deep/er/b.bin"]
    assert ARTIFACTS.verify(place, kept) == []
    ARTIFACTS.delete(place, [artifact.path for artifact in kept])
    assert ARTIFACTS.verify(place, kept) == ["all/a.txt", "all/deep/er/b.bin"]


def test_an_unknown_file_system_is_said_so(source: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nope://"):
        ARTIFACTS.save_file("nope://x/y", source / "a.txt", "a.txt")
