"""The file of users."""

from pathlib import Path

import pytest

from hpo.errors import ConfigError
from hpo.web.users import Users, hashed


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "users"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_lines_are_read_back_and_salted(tmp_path: Path) -> None:
    line = hashed("ana", "correct horse")
    users = Users.read(written(tmp_path, f"# who may look\n\n{line}\n"))
    assert users.is_right("ana", "correct horse")
    assert not users.is_right("ana", "correct horsE")
    assert "correct horse" not in line
    assert hashed("ana", "correct horse") != line


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o600, "names no user"),
        ("ana:secret\n", 0o600, "users:1: no line of a user"),
        ("ana:scrypt$99999999$8$1$AA==$AA==\n", 0o600, "users:1: no line of a user"),
        ("x", 0o644, "chmod 600"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Users.read(written(tmp_path, text, mode))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        Users.read(tmp_path / "nobody")


@pytest.mark.parametrize(("name", "password"), [("a:b", "long enough"), ("", "long enough"), ("ana", "short")])
def test_names_and_passwords_that_cannot_be_are_refused(name: str, password: str) -> None:
    with pytest.raises(ConfigError):
        hashed(name, password)
