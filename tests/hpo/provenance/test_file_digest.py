"""Digests of files and folders: of the content, read once."""

import hashlib
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpo.provenance import file_digest
from hpo.provenance.digest_cache import DigestCache, Entry, cache_folder
from hpo.provenance.file_digest import FileDigests, sha256_of

BIG = b"0123456789abcdef" * 8192
"""128 KiB: worth keeping."""


def later() -> int:
    """So late that what was just written is settled."""
    return time.time_ns() + 60_000_000_000


class Reader:
    """Takes digests, and counts how often a file was read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, file: io.BufferedReader) -> str:
        self.count += 1
        return sha256_of(file)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "digests"


def digests(cache: Path | None, reader: Reader) -> FileDigests:
    """As a process begins with them."""
    return FileDigests(DigestCache(cache), later, reader)


def test_a_digest_is_the_start_of_the_sha256_of_the_content(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(BIG)

    content = digests(cache, Reader()).content(file)
    assert content.digest == hashlib.sha256(BIG).hexdigest()[:36]
    assert (content.size, content.files, content.is_folder) == (len(BIG), 1, False)


def test_a_file_is_read_once_by_all_processes(tmp_path: Path, cache: Path) -> None:
    file, reader = tmp_path / "train.csv", Reader()
    file.write_bytes(BIG)

    found = {digests(cache, reader).content(file).digest for _ in range(3)}
    assert (len(found), reader.count) == (1, 1)


@pytest.mark.parametrize("restores_time", [False, True])
def test_a_file_of_the_same_size_with_other_content_is_read_again(
    tmp_path: Path, cache: Path, restores_time: bool
) -> None:
    file, reader = tmp_path / "train.csv", Reader()
    file.write_bytes(BIG)
    before = file.stat()
    first = digests(cache, reader).content(file)
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # until the file system's clock has moved on
        file.write_bytes(BIG[::-1])
    if restores_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    second = digests(cache, reader).content(file)
    assert (first.digest != second.digest, reader.count) == (True, 2)


def test_a_file_that_has_just_changed_is_not_relied_upon(tmp_path: Path, cache: Path) -> None:
    file, reader = tmp_path / "train.csv", Reader()
    file.write_bytes(BIG)
    now = file.stat().st_mtime_ns
    known = FileDigests(DigestCache(cache), lambda: now, reader)

    assert [known.content(file).is_settled for _ in range(2)] == [False, False]
    assert reader.count == 2
    assert digests(cache, reader).content(file).is_settled


def test_a_file_that_changes_while_it_is_read_is_not_relied_upon(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_bytes(BIG)

    def growing(opened: io.BufferedReader) -> str:
        with file.open("ab") as more:
            more.write(b"x")
        return sha256_of(opened)

    assert not FileDigests(DigestCache(cache), later, growing).content(file).is_settled
    reader = Reader()
    digests(cache, reader).content(file)
    assert reader.count == 1


def test_a_large_file_is_read_by_one_process_at_a_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_digest, "WORTH_WAITING", 1)
    file, reader, inner = tmp_path / "train.csv", Reader(), Reader()
    file.write_bytes(BIG)
    waited = DigestCache(cache)
    assert waited.get(str(file), "") is None  # it has looked before the other one was done

    digests(cache, reader).content(file)
    FileDigests(waited, later, inner).content(file)
    assert (reader.count, inner.count) == (1, 0)
    assert not list(cache.glob("*.lock"))


def test_a_folder_is_its_files_and_their_names(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "images"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.png").write_bytes(b"one")
    (folder / "2.png").write_bytes(b"two")
    (folder / "empty").mkdir()
    (folder / "up").symlink_to(folder)
    known = digests(cache, Reader())
    first = known.content(folder)
    assert (first.files, first.size, first.is_folder) == (2, 6, True)

    (folder / "empty").rmdir()
    assert known.content(folder).digest == first.digest
    (folder / "2.png").rename(folder / "3.png")
    renamed = known.content(folder).digest
    (folder / "3.png").write_bytes(b"TWO")
    assert len({first.digest, renamed, known.content(folder).digest}) == 3


def test_a_folder_that_looks_the_same_is_not_read_again_and_of_another_only_what_changed(
    tmp_path: Path, cache: Path
) -> None:
    folder, reader = tmp_path / "images", Reader()
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(BIG)
    (folder / "small").write_bytes(b"1")

    assert digests(cache, reader).content(folder) == digests(cache, reader).content(folder)
    assert reader.count == 4
    (folder / "b").write_bytes(BIG + b"x")
    digests(cache, reader).content(folder)
    assert reader.count == 6  # b, and the small one, which is read as fast as looked up


def test_without_a_usable_folder_there_is_just_no_cache(tmp_path: Path) -> None:
    file, reader = tmp_path / "train.csv", Reader()
    file.write_bytes(BIG)

    for folder in (None, file / "below a file"):
        known = digests(folder, reader)
        assert known.content(file).digest == known.content(file).digest
    assert reader.count == 2  # each process remembers what it has read


def test_damaged_lines_are_left_out_and_the_others_hold(tmp_path: Path, cache: Path) -> None:
    DigestCache(cache).put([Entry("/data/a", "1", "aa"), Entry("/data/b", "1", "bb")])
    [file] = cache.iterdir()
    lines = file.read_bytes().splitlines()
    file.write_bytes(lines[0].replace(b"aa", b"zz") + b"\n\xff\n" + lines[1] + b"\n" + lines[0][:20])

    known = DigestCache(cache)
    assert (known.get("/data/a", "1"), known.get("/data/b", "1"), known.get("/data/b", "2")) == (None, "bb", None)


def test_a_cache_stays_small_and_keeps_the_newest(cache: Path) -> None:
    for number in range(100):
        DigestCache(cache, largest=2000).put([Entry(f"/data/{number}", "1", "d" * 36)])

    assert sum(file.stat().st_size for file in cache.iterdir()) <= 2000
    known = DigestCache(cache)
    assert known.get("/data/99", "1")
    assert known.get("/data/0", "1") is None


def test_names_that_are_no_utf8_can_be_kept(cache: Path) -> None:
    DigestCache(cache).put([Entry("/data/caf\udce9\n", "1", "aa")])
    assert DigestCache(cache).get("/data/caf\udce9\n", "1") == "aa"


def test_what_is_neither_file_nor_folder_is_an_error(tmp_path: Path, cache: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is neither a file nor a folder"):
        digests(cache, Reader()).content(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        digests(cache, Reader()).content(tmp_path / "nothing")


def test_the_cache_lies_in_the_users_cache_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/tracked-hpo/digests")
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/tracked-hpo/digests")
    assert cache_folder({}) is None


def test_many_may_write_at_once_and_what_is_found_is_right(cache: Path) -> None:
    def work(number: int) -> None:
        for step in range(60):
            own = DigestCache(cache, largest=3000)  # as a process of its own, which often rewrites the file
            own.put([Entry(f"/data/{number}-{step}", "1", f"{number}-{step}")])
            found = own.get(f"/data/{number}-{step}", "1")
            assert found == f"{number}-{step}"

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    known = DigestCache(cache)
    found = {path: known.get(path, "1") for path in (f"/data/{n}-{step}" for n in range(4) for step in range(60))}
    assert all(digest in (None, path.removeprefix("/data/")) for path, digest in found.items())
    assert any(found.values())
    assert not list(cache.glob(".*"))
