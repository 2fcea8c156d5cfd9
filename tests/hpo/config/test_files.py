import io
import sys

import pytest

from hpo.config.reading import SweepFileError, read_sweep
from hpo.errors import ConfigError

GOOD = 'name: a\nmetric: {name: loss}\nobjective: {python: "a:b"}\nparameters: {x: [1, 2]}\n'


def message_of(path) -> str:
    with pytest.raises(ConfigError) as raised:
        read_sweep(path)
    return str(raised.value)


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "breast-cancer.yaml").write_text(GOOD)
    path = tmp_path / "brest-cancer.yaml"
    assert message_of(path) == (
        f"{path}: error: no such file - did you mean 'breast-cancer.yaml'?\n1 error in {path}; nothing was run"
    )


def test_a_missing_file_in_a_missing_folder_is_just_missing(tmp_path):
    path = tmp_path / "none" / "x.yaml"
    assert message_of(path).startswith(f"{path}: error: no such file\n")


def test_a_folder_is_no_sweep_file(tmp_path):
    assert message_of(tmp_path).startswith(f"{tmp_path}: error: is a folder; name a sweep file\n")


def test_a_file_below_a_file_cannot_be_read(tmp_path):
    (tmp_path / "x.yaml").write_text(GOOD)
    assert "error: cannot be read: Not a directory" in message_of(tmp_path / "x.yaml" / "y.yaml")


def test_a_name_with_a_zero_byte_is_an_error_like_any_other():
    assert "error: cannot be read" in message_of("a\0b.yaml")


def test_a_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert read_sweep("-").name == "a"


def test_standard_input_is_called_so_in_messages(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"- a")))
    assert message_of("-").startswith("<stdin>:1:1: error: must be a mapping")


def test_the_problems_of_a_file_can_be_looked_at(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(GOOD + "seed: 3\nn_jobs: 2\n")
    with pytest.raises(SweepFileError) as raised:
        read_sweep(path)
    assert [(p.place.line, p.place.column, p.path) for p in raised.value.problems] == [(5, 1, "seed"), (6, 1, "n_jobs")]
