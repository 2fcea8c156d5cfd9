"""What a store leaves on the disk belongs to its owner alone, and nothing is put where everybody can replace it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.errors import InvalidRecord, StoreUnavailable
from trackers.opening import open_store


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_database_its_log_and_its_lock_are_for_the_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        store.tracker.experiment("e")
        modes = {path.name: mode(path) for path in tmp_path.iterdir()}

    assert set(modes) >= {"mlflow.db", "mlflow.db-wal", "mlflow.db.lock"}
    assert set(modes.values()) == {0o600}


def test_the_lock_of_a_shared_database_is_for_those_who_may_use_the_database(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    open_store(uri).close()
    (tmp_path / "mlflow.db").chmod(0o660)
    (tmp_path / "mlflow.db.lock").unlink()

    with open_store(uri) as store:
        store.tracker.experiment("e")

    assert mode(tmp_path / "mlflow.db.lock") == 0o660
    assert mode(tmp_path / "mlflow.db") == 0o660


def test_a_folder_where_everybody_may_replace_files_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tmp_path.chmod(0o777)
    with pytest.raises(StoreUnavailable, match=r"everybody may replace the files in .*mode 777.*chmod o-w"):
        open_store(uri)
    assert list(tmp_path.iterdir()) == []

    tmp_path.chmod(0o1777)
    open_store(uri).close()


def test_a_lock_that_is_a_link_to_nowhere_makes_no_file_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    uri, elsewhere = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "elsewhere"
    (tmp_path / "mlflow.db.lock").symlink_to(elsewhere)

    with pytest.raises(StoreUnavailable, match=r"mlflow\.db\.lock cannot be opened"):
        open_store(uri)

    assert not elsewhere.exists()


def test_folders_for_artifacts_are_for_the_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    place = tmp_path / "mlruns" / "1" / "run" / "artifacts"

    ArtifactFolder().save_file(str(place), tmp_path / "note.txt", "notes/note.txt")

    assert {mode(folder) for folder in (tmp_path / "mlruns", place, place / "notes")} == {0o700}


def test_a_link_put_into_the_artifacts_later_is_not_followed_out_of_them(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("S3CRET")
    place = tmp_path / "artifacts"
    place.mkdir()
    (place / "out.txt").symlink_to(tmp_path / "secret.txt")
    (place / "folder").symlink_to(tmp_path)
    folder = ArtifactFolder()

    for name in ("out.txt", "folder/secret.txt"):
        with pytest.raises(InvalidRecord, match="leads out of"):
            folder.open(str(place), name)
        with pytest.raises(InvalidRecord, match="leads out of"):
            folder.delete(str(place), [name])
    with pytest.raises(InvalidRecord, match="leads out of"):
        folder.save_file(str(place), tmp_path / "secret.txt", "folder/x.txt")
    assert (tmp_path / "secret.txt").read_text() == "S3CRET"
