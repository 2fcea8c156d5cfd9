"""`hpo compare`, on the real SQLite store."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.space import Value
from trackers.opening import open_store
from trackers.records import Change, Point, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

Ask = Callable[..., Result]
EVIL = "\x1b[31mred\x9b"


def changes(place: int, name: str, values: list[float], *, metric: str = "loss", sampler: str = "tpe") -> list[Change]:
    run_id = f"{place:032x}"
    config = json.dumps({"engine": {"name": "optuna", "sampler": sampler, "seed": 7}, "duplicates": f"by {sampler}"})
    facts = SweepFacts(config, name[:60], metric, "minimize", 7, window=1, n_trials=len(values))
    made: list[Change] = [RunStarted(run_id, name, "all", 0, tags={"hpo.data.train": "d" * 36}, sweep=facts)]
    for number, value in enumerate(values):
        child = f"{place:04x}{number:028x}"
        params: dict[str, Value] = {"x": number / 10, "note": EVIL}
        begun = TrialFacts(number, params, seed=number)
        ended = TrialFacts(number, params, "COMPLETE", seed=number, value=value)
        made.append(RunStarted(child, f"trial-{number}", "all", 1000 * number, run_id, params, trial=begun))
        made.append(RunEnded(child, Status.FINISHED, 1000 * (number + 1), [Point(metric, value)], trial=ended))
    return [*made, RunEnded(run_id, Status.FINISHED, 1000 * len(values))]


@pytest.fixture(scope="module")
def compared_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("compared")
    uri = f"sqlite:///{folder}/mlflow.db"
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        store.tracker.experiment("all")
        store.tracker.record(changes(1, "first", [5, 3, 1.25]))
        store.tracker.record(changes(2, "second", [4, 2, 2], sampler="random"))
        store.tracker.record(changes(3, EVIL, [9]))
        store.tracker.record(changes(4, "other", [9], metric="rmse"))
    return uri


@pytest.fixture
def ask_compared(compared_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    monkeypatch.setenv("HPO_TRACKER", compared_uri)
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(main, list(args))


def test_compare_prints_a_row_a_sweep_then_settings_and_params(ask_compared: Ask) -> None:
    done = ask_compared("compare", "first", "second")
    assert done.exit_code == 0, done.stderr
    sweeps, settings, best = (part.splitlines() for part in done.stdout.split("\n\n"))
    assert sweeps[1].split("  ")[0] == "first"
    assert "3 trials, 3 s" in sweeps[1]
    assert "2 trials, 2 s" in sweeps[2]
    assert "never" in sweeps[2]
    assert settings[0].split() == ["settings", "that", "differ", "first", "second"]
    assert settings[1].split() == ["duplicates", "by", "tpe", "by", "random"]
    assert best[1].split() == ["x", "0.2", "0.1"]
    assert done.stderr == "compared by loss (minimize); the same data, code not on record\n"


def test_compare_in_json_has_everything_with_full_digests(ask_compared: Ask) -> None:
    found = json.loads(ask_compared("compare", "first", "second", "-f", "json").stdout)
    assert list(found) == ["metrics", "why_not", "reference", "same_data", "same_code", "sweeps", "settings"]
    assert found["settings"] == {"engine.sampler": ["tpe", "random"], "duplicates": ["by tpe", "by random"]}
    first, second = found["sweeps"]
    assert (first["best_value"], first["best_trial"], first["trials_to_best"], first["seconds_to_best"]) == (
        1.25,
        2,
        3,
        3,
    )
    assert (first["others_best"], first["trials_to_others_best"], first["seconds_to_others_best"]) == (2, 3, 3)
    assert (second["trials_to_others_best"], second["data"]) == (None, {"train": "d" * 36})
    assert (found["same_data"], found["same_code"]) == (True, None)


def test_compare_in_csv_is_one_row_a_sweep_with_settings_and_params(ask_compared: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask_compared("compare", "first", "second", "-f", "csv").stdout)))
    assert [row["name"] for row in rows] == ["first", "second"]
    assert [row["settings.engine.sampler"] for row in rows] == ["tpe", "random"]
    assert [row["best.x"] for row in rows] == ["0.2", "0.1"]
    assert ask_compared("compare", "first", "second", "-f", "md").stdout.startswith("| name | state |")


def test_compare_draws_a_picture_beside_the_table(ask_compared: Ask, tmp_path: Path) -> None:
    done = ask_compared("compare", "first", "second", EVIL, "-o", "x.svg")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("sweep")
    assert "wrote x.svg" in done.stderr
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")
    assert not {"\x1b", "\x9b"} & set(done.stdout + done.stderr + (tmp_path / "x.svg").read_text())


@pytest.mark.parametrize("form", ["table", "json", "csv", "md", "yaml"])
@pytest.mark.parametrize("verb", ["compare", "diff"])
def test_names_and_params_cannot_steer_a_terminal(ask_compared: Ask, verb: str, form: str) -> None:
    place = "#0" if verb == "diff" else ""
    done = ask_compared(verb, f"second{place}", f"{EVIL}{place}", "-f", form)
    assert done.exit_code == 0, done.stderr
    assert not {"\x1b", "\x9b"} & set(done.stdout + done.stderr)


def test_a_picture_without_matplotlib_says_how_to_install_it(
    ask_compared: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for name in ("hpo.drawing", "hpo.comparison_plot"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    done = ask_compared("compare", "first", "second", "-o", "x.png")
    assert done.exit_code == 2
    assert 'pip install "tracked-hpo[plots]"' in done.stderr
    assert not Path("x.png").exists()


def test_sweeps_by_other_metrics_are_shown_without_comparing_values(ask_compared: Ask) -> None:
    done = ask_compared("compare", "first", "other")
    assert done.exit_code == 0
    assert "to the others' best" not in done.stdout
    assert "values are not compared: first is searched by loss (minimize); other is searched by rmse" in done.stderr
    drawn = ask_compared("compare", "first", "other", "-o", "x.png")
    assert drawn.exit_code == 2
    assert "nothing to draw together" in drawn.stderr
    assert not Path("x.png").exists()


def test_compare_takes_two_different_sweeps(ask_compared: Ask) -> None:
    for args in (["first"], ["first", "first"]):
        done = ask_compared("compare", *args)
        assert done.exit_code == 2
        assert "takes two sweeps or more" in done.stderr
    assert ask_compared("compare", "first", "scond").exit_code == 1


def test_runs_that_mlflow_wrote_are_compared_by_the_metric_asked_for(ask: Ask) -> None:
    done = ask("compare", "iris", "bold-cat", "--metric", "roc_auc", "-f", "json")
    assert done.exit_code == 0, done.stderr
    iris, foreign = json.loads(done.stdout)["sweeps"]
    assert (iris["best_value"], iris["best_trial"], foreign["best_value"]) == (0.95, 1, None)
    assert ask("compare", "iris", "bold-cat").stderr.startswith("values are not compared: iris is searched by roc_auc")
