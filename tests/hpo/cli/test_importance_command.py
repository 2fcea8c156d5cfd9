"""`hpo importance`, on the real SQLite store."""

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.opening import open_store
from trackers.records import Change, Point, RunEnded, RunStarted, Status

Ask = Callable[..., Result]


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs `hpo` on a store that MLflow wrote: a parent, 30 children with texts for params, 6 of them with `slope`."""
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{tmp_path}/mlflow.db")
    draw = random.Random(1)
    changes: list[Change] = [RunStarted("f" * 32, "bold-cat", "Default", 1)]
    for number in range(30):
        depth, run_id = draw.uniform(0, 9), f"{number:032x}"
        params = {"depth": str(depth), "kind": "line" if number % 5 == 0 else "tree", "same": "1"}
        params |= {"slope": str(draw.random())} if number % 5 == 0 else {}
        changes.append(RunStarted(run_id, f"ant-{number}", "Default", number + 2, "f" * 32, params))
        points = [Point("rmse", (depth - 4) ** 2), Point("other", 1.0)]
        changes.append(RunEnded(run_id, Status.FINISHED, number + 3, points))
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.experiment("Default")
        store.tracker.record(changes)
    return lambda *args: CliRunner().invoke(main, list(args))


def test_importance_of_trials_that_mlflow_wrote_by_the_metric_asked_for(foreign: Ask) -> None:
    asked = ["importance", "bold-cat", "--metric", "rmse", "--goal", "minimize"]
    done = foreign(*asked, "-f", "json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [list(row) for row in rows] == [["branch", "parameter", "importance", "trials"]] * len(rows)
    assert [(row["branch"], row["parameter"], row["trials"]) for row in rows] == [
        (None, "depth", 30),
        (None, "kind", 30),
    ]
    assert rows[0]["importance"] + rows[1]["importance"] == pytest.approx(1)
    assert rows[0]["importance"] > 0.6
    assert "bold-cat: what decides rmse (minimize), by ped-anova over 30 trials" in done.stderr
    assert "nothing can be said where kind = line: 6 complete trials, 10 are needed" in done.stderr
    table = list(csv.DictReader(io.StringIO(foreign(*asked, "-f", "csv").stdout)))
    assert table[0]["branch"] == "all trials"
    assert float(table[0]["importance"]) == pytest.approx(rows[0]["importance"], abs=0.001)
    assert foreign(*asked).stdout.splitlines()[0].split() == ["branch", "parameter", "importance", "trials"]


def test_importance_asks_for_the_metric_where_there_are_several(foreign: Ask) -> None:
    done = foreign("importance")
    assert done.exit_code == 2
    assert "add --metric, one of: other, rmse" in done.stderr


def test_importance_is_refused_where_the_metric_never_varies(foreign: Ask) -> None:
    same = foreign("importance", "--metric", "other", "--goal", "minimize")
    assert (same.exit_code, same.stdout) == (1, "")
    assert "have the same other, 1: no parameter makes a difference" in same.stderr


def test_importance_of_few_trials_is_refused(ask: Ask) -> None:
    few = ask("importance", "iris")
    assert (few.exit_code, few.stdout) == (1, "")
    assert "at least 10 COMPLETE trials with a finite roc_auc; 'iris' has 3" in few.stderr


def test_show_names_the_verb_where_there_are_trials_enough(foreign: Ask) -> None:
    assert "hpo importance bold-cat" in foreign("show", "bold-cat").stdout


def test_show_is_silent_of_it_where_there_are_few(ask: Ask) -> None:
    assert "hpo importance" not in ask("show", "iris").stdout
