"""Data files of a record are found by their content, and put where trials look for them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import ProvenanceError
from hpo.provenance.file_digest import digest_of_file
from hpo.replaying.code_place import CodePlace
from hpo.replaying.data_place import data_files, place_data
from hpo.replaying.record import Record
from trackers.records import Dataset


def dataset(path: Path, digest: str | None = None, **profile: object) -> Dataset:
    text = json.dumps({"bytes": 3, **profile})
    return Dataset(path.stem, digest or digest_of_file(path), source=json.dumps({"uri": str(path)}), profile=text)


@pytest.fixture
def place(tmp_path: Path) -> CodePlace:
    (tmp_path / "then" / "data").mkdir(parents=True)
    (tmp_path / "now").mkdir()
    return CodePlace(tmp_path / "now", tmp_path / "now", str(tmp_path / "then"), str(tmp_path / "now"))


def record(*datasets: Dataset) -> Record:
    return Record("iris", "5" * 32, "", "loss", datasets=datasets)


def test_a_file_is_linked_to_where_it_lay_in_the_code(place: CodePlace) -> None:
    file = Path(place.original, "data", "train.csv")
    file.write_text("a\n1\n")
    assert place_data(record(dataset(file)), place, None) == {}
    assert Path(place.top, "data", "train.csv").read_text() == "a\n1\n"


def test_a_file_of_the_recorded_content_under_another_name_goes_before_one_of_the_recorded_name(
    place: CodePlace, tmp_path: Path
) -> None:
    file, given = Path(place.original, "train.csv"), tmp_path / "given"
    file.write_text("a\n1\n")
    wanted = dataset(file)
    (given / "deep").mkdir(parents=True)
    file.rename(given / "deep" / "moved.csv")
    file.write_text("a\n2\n")
    place_data(record(wanted), place, given)
    assert Path(place.top, "train.csv").read_text() == "a\n1\n"


def test_a_file_of_the_recorded_name_is_taken_where_its_content_is_nowhere(place: CodePlace) -> None:
    file = Path(place.original, "train.csv")
    file.write_text("a\n2\n")
    place_data(record(dataset(file, "0" * 36)), place, None)
    assert Path(place.top, "train.csv").read_text() == "a\n2\n"


def test_a_file_that_the_rebuilt_code_has_stays(place: CodePlace) -> None:
    Path(place.top, "train.csv").write_text("committed")
    file = Path(place.original, "train.csv")
    file.write_text("edited")
    place_data(record(dataset(file)), place, None)
    assert Path(place.top, "train.csv").read_text() == "committed"


def test_a_file_that_lay_outside_of_the_code_is_linked_to_where_it_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "then" / "sweeps").mkdir(parents=True)
    (tmp_path / "scratch" / "code" / "sweeps").mkdir(parents=True)
    now = tmp_path / "scratch" / "code"
    code = CodePlace(now / "sweeps", now, str(tmp_path / "then"), str(now))
    file = tmp_path / "data" / "train.csv"
    file.parent.mkdir()
    file.write_text("a\n1\n")
    then = replace(record(dataset(file)), folder=f"{tmp_path}/then/sweeps", started_in=f"{tmp_path}/then")
    named = [str(file), "../../data/train.csv", "../data/train.csv"]
    assert place_data(then, code, None) == dict.fromkeys(named, str(file))
    assert (now / "sweeps" / "../../data/train.csv").read_text() == "a\n1\n"
    (tmp_path / "given").mkdir()
    file.rename(tmp_path / "given" / "x.csv")
    assert place_data(then, code, tmp_path / "given") == dict.fromkeys(named, str(tmp_path / "given" / "x.csv"))


def test_a_file_that_is_nowhere_is_refused_with_the_way_out(place: CodePlace) -> None:
    with pytest.raises(
        ProvenanceError, match=r"data set 'train' .* lay in .*/train.csv, which is not here; .*--data DIR"
    ):
        place_data(record(dataset(Path(place.original, "train.csv"), "0" * 36)), place, None)


def test_a_table_is_known_by_the_digest_of_its_file_in_the_profile(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("a\n1\n")
    table = dataset(file, "f" * 36, num_rows=1, file=digest_of_file(file))
    file.rename(tmp_path / "other.csv")
    [(_, path, found)] = data_files(record(table), tmp_path)
    assert (path, found) == (str(file), tmp_path / "other.csv")


def test_data_that_were_made_by_code_are_no_files() -> None:
    assert data_files(record(Dataset("iris", "0" * 36, "code", '{"uri": "sklearn.datasets.load_iris"}')), None) == []
