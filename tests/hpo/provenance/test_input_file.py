"""What is said of a file that was read."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hpo.provenance import input_file as described
from hpo.provenance.input_file import input_file


def profile(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(input_file(path, "data", "training").profile)
    return found


def test_a_csv_file_has_the_columns_of_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text('a,"b, c"\n1,2\n')
    assert profile(file) == {"num_columns": 2, "bytes": 13, "columns": [{"name": "a"}, {"name": "b, c"}]}
    assert input_file(file, "data", "test").schema == ""


def test_a_parquet_file_has_rows_and_typed_columns(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2]}).to_parquet(file)
    found = input_file(file, "data", "training")
    assert json.loads(found.schema) == {
        "mlflow_colspec": [
            {"type": "int64", "name": "a", "required": True},
            {"type": "double", "name": "b", "required": True},
        ]
    }
    assert (profile(file)["num_rows"], profile(file)["num_columns"]) == (3, 2)


@pytest.mark.parametrize(
    ("name", "content"), [("x.parquet", b"PAR1 is not all"), ("x.csv", b"\xff\xfe\x00"), ("x.bin", b"")]
)
def test_what_cannot_be_understood_is_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert profile(tmp_path / name) == {"bytes": len(content)}


def test_a_folder_has_files_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"one")
    found = input_file(tmp_path / "images", "images", "training")
    assert (json.loads(found.profile), found.path) == ({"bytes": 3, "num_files": 1}, str(tmp_path / "images"))


def test_more_columns_than_are_listed_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "WIDEST", 1)
    (tmp_path / "wide.csv").write_text("a,b\n")
    assert profile(tmp_path / "wide.csv") == {"num_columns": 2, "bytes": 4}
