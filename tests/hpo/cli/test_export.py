"""Data into files: `hpo export` and `-o`."""

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from hpo.cli.output import whole_file
from hpo.errors import HpoError

Ask = Callable[..., Result]


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.parquet"])
def test_export_writes_all_trials_with_types(ask: Ask, name: str) -> None:
    result = ask("export", "iris", "-o", name)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"wrote 6 trials of iris to {name}\n"
    assert [path.name for path in Path().iterdir()] == [name]
    if name == "x.json":
        assert json.loads(Path(name).read_text()) == json.loads(ask("trials", "iris", "-f", "json").stdout)
    elif name == "x.csv":
        rows = list(csv.DictReader(io.StringIO(Path(name).read_text())))
        assert (rows[1]["params.note"], rows[1]["params.depth"], rows[2]["reason"]) == ("'=1+1", "3", "exception")
    else:
        import pandas

        frame = pandas.read_parquet(name)
        assert list(frame["number"]) == list(range(6))
        assert frame["params.depth"].dropna().tolist() == [3, 3]
        assert frame["metrics.roc_auc"][1] == 0.95


def test_a_column_of_several_types_is_text_in_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet

    from hpo.trials_parquet import write_parquet

    write_parquet(tmp_path / "x.parquet", ["a", "b"], [{"a": 1, "b": 2**70}, {"a": "auto"}, {}])
    assert pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pydict() == {
        "a": ["1", "auto", None],
        "b": [str(2**70), None, None],
    }


def test_export_refuses_an_unknown_ending_and_leaves_nothing(ask: Ask) -> None:
    result = ask("export", "iris", "-o", "x.xls")
    assert result.exit_code == 2
    assert result.stderr.endswith("must end in .csv, .parquet, .json\n")
    assert not list(Path().iterdir())


def test_output_goes_to_a_file_in_the_format_of_its_name(ask: Ask) -> None:
    result = ask("best", "iris", "-o", "best.json")
    assert result.stdout == ""
    assert json.loads(Path("best.json").read_text())[0]["number"] == 1
    nowhere = ask("best", "iris", "-o", "missing/best.json")
    assert nowhere.exit_code == 1
    assert nowhere.stderr.endswith("Error: cannot write missing/best.json: No such file or directory\n")


def test_a_file_half_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")

    def half() -> None:
        with whole_file(path) as part:
            part.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(HpoError, match=r"cannot write .*x.csv: No space left on device"):
        half()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("x.csv", "old")]
