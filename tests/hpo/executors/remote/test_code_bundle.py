"""The user's modules that travel to other hosts: what is taken, what is not, and how much."""

from pathlib import Path

import pytest

from hpo.errors import ConfigError
from hpo.executors.remote import code_bundle
from hpo.executors.remote.code_bundle import pack, unpack
from hpo.executors.remote.seen import Probe, sees


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name!a}")


def names_below(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_modules_and_packages_travel_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, "train.py", "pkg/__init__.py", "pkg/sub/deep.py", "spaces/without_init.py")
    write(root, ".git/hook.py", "env/lib/x.py", "env/pyvenv.cfg", "no-module/x.py", "pkg/__pycache__/x.py", "data.csv")
    write(root, "site-packages/x.py", ".secrets.py", "half\udcffname.py")
    (root / "link.py").symlink_to(root / "train.py")
    (root / "linked").symlink_to(root / "pkg")

    (folder,) = unpack(pack([str(root)]), tmp_path / "code")

    assert names_below(folder) == ["pkg/__init__.py", "pkg/sub/deep.py", "spaces/without_init.py", "train.py"]


def test_folders_keep_their_order_and_the_same_files_give_the_same_bundle(tmp_path: Path) -> None:
    roots = [tmp_path / f"root{number}" for number in range(11)]
    for root in roots:
        write(root, "which.py")
    (tmp_path / "empty").mkdir()
    search_path = [*map(str, roots), str(tmp_path / "empty"), str(tmp_path / "missing")]

    bundle = pack(search_path)
    folders = unpack(bundle, tmp_path / "code")

    assert pack(search_path) == bundle
    assert [Path(folder).name for folder in folders] == [str(number) for number in range(13)]


def test_too_much_code_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_bundle, "LIMIT", 9)
    write(tmp_path, "large.py")

    with pytest.raises(
        ConfigError, match=r"too many to be sent .* in .*/large\.py\): .*install your code there as a pa"
    ):
        pack([str(tmp_path)])


def test_a_folder_without_an_end_is_not_walked_through_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_bundle, "SECONDS", -1.0)
    write(tmp_path, "train.py")

    with pytest.raises(
        ConfigError, match=rf"below {tmp_path}, .*: 0 folders so far, the last one .*; start in a small"
    ):
        pack([str(tmp_path)])


def test_a_probe_is_seen_where_the_folder_is_seen(tmp_path: Path) -> None:
    probe = Probe.left_in(tmp_path / "new")
    other = {"path": str(probe.path), "token": "another"}

    assert sees({"a": probe.facts, "b": other, "c": {"path": "/nowhere"}, "d": 1}) == {
        "a": True, "b": False, "c": False, "d": False,
    }  # fmt: skip
    probe.remove()
    probe.remove()
    assert sees({"a": probe.facts}) == {"a": False}
    assert sees(None) == {}
