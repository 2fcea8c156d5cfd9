"""The verbs that read a store, on the real SQLite store."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from ruamel.yaml import YAML

Ask = Callable[..., Result]
TRIAL_KEYS = [
    "number", "state", "reason", "attempt", "params", "metrics", "value", "seconds", "run_id", "started", "ended"
]  # fmt: skip


def loaded(result: Result) -> object:
    assert result.exit_code == 0, result.stderr

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(result.stdout, parse_constant=refuse)


def test_ls_lists_the_latest_sweep_first_with_counts_and_best(ask: Ask) -> None:
    sweeps = loaded(ask("ls", "-f", "json"))
    assert [sweep["name"] for sweep in sweeps] == ["bold-cat", "iris"]
    assert sweeps[1]["trials"] == {"COMPLETE": 3, "FAILED": 1, "PRUNED": 1, "RUNNING": 1}
    assert (sweeps[1]["best_value"], sweeps[1]["best_trial"], sweeps[1]["metric"]) == (0.95, 1, "roc_auc")
    line = ask("ls").stdout.splitlines()[2]
    assert line.startswith("iris")
    assert "1 RUNNING, 3 COMPLETE, 1 PRUNED, 1 FAILED" in line
    assert line.endswith("5555aaaa")


def test_a_sweep_whose_goal_is_none_hides_no_other_from_ls(
    ask: Ask, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = Path("mlflow.db")
    with (
        closing(sqlite3.connect(store_uri.removeprefix("sqlite:///"))) as whole,
        closing(sqlite3.connect(spoilt)) as to,
    ):
        whole.backup(to)
        to.execute("UPDATE hpo_sweeps SET goal = 'up'")
        to.commit()
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{spoilt}")
    assert [sweep["name"] for sweep in loaded(ask("ls", "-f", "json"))] == ["bold-cat", "iris"]
    for verb in ("show", "trials", "best"):
        refused = ask(verb, "iris")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "the goal of roc_auc on record is 'up', and neither minimize nor maximize" in refused.stderr


def test_best_ranks_complete_trials_and_equals_by_number(ask: Ask) -> None:
    ranked = loaded(ask("best", "iris", "-f", "json"))
    assert [trial["number"] for trial in ranked] == [1, 0, 3]  # 4 is better, but was pruned
    assert [trial["number"] for trial in loaded(ask("best", "iris", "-n", "1", "-f", "json"))] == [1]


def test_trials_in_json_have_exactly_the_documented_fields(ask: Ask) -> None:
    trials = loaded(ask("trials", "iris", "-f", "json"))
    assert [list(trial) for trial in trials] == [TRIAL_KEYS] * 6
    assert trials[0] == {
        "number": 0,
        "state": "COMPLETE",
        "reason": None,
        "attempt": 1,
        "params": {"clf": "svc", "C": 0.5, "fit": True},
        "metrics": {"roc_auc": 0.9, "accuracy": 0.09999999999999998, "broken": None},
        "value": 0.9,
        "seconds": 0.5,
        "run_id": "0000" + "b" * 28,
        "started": "2025-10-09T08:53:20.000+00:00",
        "ended": "2025-10-09T08:53:20.500+00:00",
    }
    assert [trial["value"] for trial in trials] == [0.9, 0.95, None, 0.9, None, None]
    assert (trials[2]["state"], trials[2]["reason"], trials[5]["ended"]) == ("FAILED", "exception", None)
    assert trials[1]["params"] == {"clf": "forest", "depth": 3, "note": "=1+1"}


def test_trials_are_filtered_sorted_and_cut(ask: Ask) -> None:
    def numbers(*args: str) -> list[int]:
        return [trial["number"] for trial in loaded(ask("trials", "iris", "-f", "json", *args))]

    assert numbers("--state", "failed", "--state", "PRUNED") == [2, 4]
    assert numbers("--sort", "-value") == [1, 0, 3, 2, 4, 5]
    assert numbers("--sort", "value desc", "-n", "2") == [1, 0]
    assert numbers("--sort", "C", "-n", "1") == [3]
    assert numbers("--sort", "metrics.`roc_auc` DESC", "-n", "1") == [4]
    assert numbers("--sort", "-C", "-n", "1") == [0]
    assert numbers("--sort", "metrics.accuracy", "-n", "1") == [1]
    assert numbers("--where", "params.C < .01") == [3]
    assert numbers("--where", "params.clf = 'svc' or number = 1", "--state", "COMPLETE") == [0, 1, 3]


def test_a_table_can_be_cut_to_columns(ask: Ask) -> None:
    assert ask("trials", "iris", "-n", "1", "--columns", "number, C,accuracy").stdout.splitlines() == [
        "number  params.C  metrics.accuracy",
        "     0       0.5               0.1",
    ]
    wrong = ask("trials", "iris", "--columns", "acuracy")
    assert wrong.exit_code == 1
    assert "did you mean" in wrong.stderr


def test_an_unknown_sort_key_gets_the_nearest(ask: Ask) -> None:
    result = ask("trials", "iris", "--sort", "acuracy")
    assert result.exit_code == 1
    assert result.stderr.endswith("did you mean 'accuracy'?\n")


def test_csv_cells_cannot_become_formulas(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("trials", "iris", "-f", "csv").stdout)))
    assert rows[1]["params.note"] == "'=1+1"
    assert rows[3]["params.C"] == "0.0001234567"
    assert rows[0]["params.fit"] == "true"
    assert rows[0]["params.depth"] == ""


def test_yaml_holds_what_json_holds(ask: Ask) -> None:
    in_yaml = YAML(typ="safe").load(ask("best", "iris", "-f", "yaml").stdout)
    assert in_yaml == loaded(ask("best", "iris", "-f", "json"))


def test_markdown_is_a_table(ask: Ask) -> None:
    assert ask("best", "iris", "-f", "md", "-n", "1").stdout.startswith("| number | state | value |")


@pytest.mark.parametrize(
    "verb", [["show", "iris#2"], ["logs", "iris#2"], ["trials", "iris"], ["show", "iris#2", "-f", "json"]]
)
def test_control_characters_of_trials_never_reach_the_terminal(ask: Ask, verb: list[str]) -> None:
    result = ask(*verb)
    assert result.exit_code == 0
    assert not {"\x1b", "\x9b", "\u202e"} & set(result.stdout + result.stderr)


def test_best_by_another_metric_keeps_the_goal_unless_told(ask: Ask) -> None:
    assert [trial["number"] for trial in loaded(ask("best", "iris", "--metric", "accuracy", "-f", "json"))] == [0, 3, 1]
    other = ask("best", "iris", "--metric", "accuracy", "--goal", "minimize")
    assert other.stdout.splitlines()[0].split()[:4] == ["number", "state", "value", "metrics.accuracy"]
    assert other.stdout.splitlines()[1].split()[0] == "1"
    assert other.stderr == "iris: best by accuracy (minimize)\n"


def test_a_metric_that_no_trial_reported_is_answered_with_those_there_are(ask: Ask) -> None:
    result = ask("best", "iris", "--metric", "acuracy")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: no trial of 'iris' reported 'acuracy' (reported: accuracy, broken, roc_auc)"
    )
    assert result.stderr.endswith(" - did you mean 'accuracy'?\n")


def test_a_metric_that_is_never_finite_says_what_states_the_trials_have(ask: Ask) -> None:
    result = ask("best", "iris", "--metric", "broken")
    assert result.exit_code == 1
    assert "has a finite broken; its trials: 1 RUNNING, 3 COMPLETE, 1 PRUNED, 1 FAILED" in result.stderr


def test_a_filter_that_cannot_be_read_is_shown_as_given(ask: Ask) -> None:
    result = ask("best", "iris", "--where", "metric.x < 1")
    assert result.exit_code == 2
    assert "    metric.x < 1\n    ^^^^^^^^\nError: unknown word 'metric'" in result.stderr


def test_a_sweep_is_shown_with_settings_best_and_registered(ask: Ask) -> None:
    data = loaded(ask("show", "iris", "-f", "json"))
    assert data["settings"]["engine"] == {"name": "optuna", "sampler": "tpe", "seed": 7}
    assert data["best"]["number"] == 1
    assert [(model["name"], model["version"], model["trial"]) for model in data["registered"]] == [("flowers", 1, 1)]
    text = ask("show", "iris").stdout
    assert "best          0.95 by trial 1" in text
    assert "flowers version 1 (champion), trial 1" in text
    assert "hpo show iris#1" in text


def test_a_trial_is_shown_with_all_that_is_known(ask: Ask) -> None:
    data = loaded(ask("show", "iris#1", "-f", "json"))
    assert list(data)[2:13] == TRIAL_KEYS
    assert data["artifacts"] == [{"path": "model/MLmodel", "size": 12, "sha256": "0" * 64}]
    assert data["models"][0]["name"] == "model"
    assert data["sweep"] == "iris"
    failed = ask("show", "iris#2").stdout
    assert "reason        exception" in failed
    assert "Traceback:" in failed
    assert "hpo logs iris#2" in failed


def test_logs_print_traceback_and_kept_output(ask: Ask, store_uri: str) -> None:
    run = loaded(ask("show", "iris#2", "-f", "json"))
    log = Path(run["artifact_uri"]) / "logs" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("epoch 1\n\tloss \x1b[2J3.0\n")
    try:
        assert ask("logs", "iris#2").stdout == "Traceback:\n  \\x1b[31mred\\x9b\\u202e\nepoch 1\n\tloss \\x1b[2J3.0\n"
        assert loaded(ask("logs", "iris#2", "-f", "json"))["output"] == log.read_text()
    finally:
        log.unlink()


def test_a_trial_that_left_nothing_to_read_says_so(ask: Ask) -> None:
    result = ask("logs", "iris#1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "trial-1 left no traceback and no output" in result.stderr


def test_models_name_sweep_trial_and_metrics(ask: Ask) -> None:
    models = loaded(ask("models", "-f", "json"))
    assert list(models[0]) == [
        "name", "version", "aliases", "stage", "run_id", "sweep", "trial", "metrics", "description", "created"
    ]  # fmt: skip
    assert models[0]["metrics"] == {"roc_auc": 0.95, "accuracy": 0.050000000000000044, "broken": None}
    assert (models[0]["sweep"], models[0]["trial"], models[0]["aliases"]) == ("iris", 1, ["champion"])
    assert loaded(ask("models", "flowers", "-f", "json")) == models
    unknown = ask("models", "flower")
    assert unknown.exit_code == 1
    assert "flowers" in unknown.stderr


def test_what_mlflow_alone_wrote_is_listed_ranked_and_shown(ask: Ask) -> None:
    ranked = ask("best", "bold-cat", "--metric", "rmse", "-f", "json")
    assert [trial["value"] for trial in loaded(ranked)] == [1.0, 2.0, 3.0]
    assert "taken to be minimize" in ranked.stderr
    trials = loaded(ask("trials", "bold-cat", "-f", "json"))
    assert [list(trial) for trial in trials] == [TRIAL_KEYS] * 3
    assert (trials[0]["number"], trials[0]["state"], trials[0]["params"]) == (None, "COMPLETE", {"depth": "0"})
    assert ask("trials", "bold-cat").stdout.split()[:2] == ["name", "state"]
    assert ask("show", "bold-cat#odd-bee").stdout.split()[:2] == ["trial", "bold-cat#odd-bee"]
    assert loaded(ask("show", "bold-cat", "-f", "json"))["settings"] is None


def test_the_latest_sweep_is_the_default(ask: Ask) -> None:
    assert "bold-cat" in ask("show").stdout
    assert ask("trials", "-f", "json").stdout == ask("trials", "bold-cat", "-f", "json").stdout
