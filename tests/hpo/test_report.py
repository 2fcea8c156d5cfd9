"""A sweep as a file, in a notebook and in a terminal: the same facts, and nothing in them runs."""

import json
import math
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from hpo.cli.main import main
from hpo.cli.terminal_plot import history_plot
from hpo.drawing import save_figure
from hpo.plots import plot
from hpo.report.answers import page_of
from hpo.report.history_svg import history_svg
from hpo.report.joining import joined
from hpo.report.markdown_report import markdown_report
from hpo.report.texts import markdown
from hpo.result import SweepResult
from hpo.trial import Goal
from hpo.views.commands import Commands
from trackers.opening import open_store
from trackers.records import Change, Point, Run, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

SWEEP = "5" * 32
HOSTILE = "</script><script>alert(1)</script><!--\x1b[31m| [x](javascript:1) @all"
COUNT = 8


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    changes: list[Change] = []
    for number in range(COUNT):
        params = {"x": number / 10, "kind": HOSTILE if number % 2 else "plain"}
        begun = TrialFacts(number, params)
        ended = TrialFacts(number, params, "COMPLETE", value=math.sin(number), seconds=0.1)
        changes.append(RunStarted(f"{number:032x}", f"trial-{number}", "Default", 2, SWEEP, params, trial=begun))
        points = [Point("loss", math.sin(number), 0, 3)]
        changes.append(RunEnded(f"{number:032x}", Status.FINISHED, 9, points, trial=ended))
    with open_store(uri) as store:
        config = json.dumps({"engine": {"name": "optuna", "sampler": HOSTILE}})
        facts = SweepFacts(config, "h", "loss", "minimize", 1, 1, COUNT)
        store.tracker.record(
            [RunStarted(SWEEP, "iris", "Default", 1, tags={"mlflow.note.content": HOSTILE}, sweep=facts)]
        )
        store.tracker.record([*changes, RunEnded(SWEEP, Status.FINISHED, 5000)])
    return uri


def hpo(*words: str):
    return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def page(uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("report") / "x.html"
    done = hpo("report", "iris", "-o", str(file), "--tracker", uri)
    assert done.exit_code == 0, done.output
    return file.read_text()


def test_the_page_is_one_file_with_its_data_inside(page: str) -> None:
    data = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.S)
    assert data is not None
    report = json.loads(data[1])
    below = f"/api/sweeps/{SWEEP}"
    trials = {path: told for path, told in report["answers"].items() if path.startswith("/api/runs/")}
    assert set(report["answers"]) - set(trials) == {
        "/api/sweeps/iris", below, *(f"{below}/{what}" for what in ("trials", "importance", "curves?top=20", "front"))
    }  # fmt: skip
    assert {told["number"] for told in trials.values()} == set(range(COUNT))  # fewer than so many are there whole
    assert report["answers"][f"{below}/trials"]["number"] == list(range(COUNT))
    assert report["answers"][below]["note"] == HOSTILE


def test_nothing_in_a_report_is_fetched_and_nothing_of_the_data_runs(page: str) -> None:
    elements = re.sub(r"(<(script|style)[^>]*>).*?</\2>", r"\1</\2>", page, flags=re.S)
    assert re.findall("<script[^>]*>", elements) == [
        '<script type="application/json" id="report-data">',
        *["<script>"] * 2,
    ]
    assert not re.search(r'(?:src|href)="(?!data:|#)', elements)
    assert "alert" not in elements
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', elements)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert len(re.findall(r"'sha256-[^']+'", policy[1])) == 3


def test_markdown_has_facts_tables_and_pictures(uri: str, tmp_path: Path) -> None:
    done = hpo("report", "iris", "-o", str(tmp_path / "x.md"), "--tracker", uri)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "x.md").read_text()
    assert "# iris" in text
    assert "| best | -0.9589" in text
    assert "![x-history](x-history.png)" in text
    assert (tmp_path / "x-history.png").read_bytes()[:4] == b"\x89PNG"
    assert not re.search(r"(?<!\\)(<script|\[x\]\()", text)


def test_pictures_are_shown_whatever_the_file_is_called(uri: str, tmp_path: Path) -> None:
    assert hpo("report", "iris", "-o", str(tmp_path / "a b (1).md"), "--tracker", uri).exit_code == 0
    (shown,) = re.findall(r"\]\(([^ ()]*-history\.png)\)", (tmp_path / "a b (1).md").read_text())
    assert (tmp_path / unquote(shown)).exists()


@pytest.mark.parametrize("kind", ["history", "parallel"])
def test_names_that_look_like_formulas_are_drawn_as_they_are(kind: str, tmp_path: Path) -> None:
    name = r"$\frac{x $^^ \$ 你"
    told = TrialFacts(0, {name: 1.0}, "COMPLETE", value=1.0)
    run = Run(SWEEP, "a", "Default", Status.FINISHED, 1, 2, "", params=told.params, trial=told)
    save_figure(plot(kind, [run], metric=name, goal=Goal.MINIMIZE), tmp_path / "x.png", "png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_an_axis_over_decades_is_drawn_by_logarithms_and_says_its_ends() -> None:
    runs = []
    for number, (rate, kind) in enumerate(((1e-4, "$a"), (1e-2, "b"), (1.0, None))):
        told = TrialFacts(number, {"rate": rate, "kind": kind}, "COMPLETE", value=float(number))
        runs.append(Run(str(number), "a", "Default", Status.FINISHED, 1, 2, "", params=told.params, trial=told))
    (axes,) = plot("parallel", runs, metric="loss", goal=Goal.MINIMIZE).axes
    drawn = [list(line.get_ydata()) for line in axes.lines]  # the best one last
    assert drawn == [[1.0, -0.05, 1.0], [pytest.approx(0.5), 1.0, 0.5], [0.0, 0.0, 0.0]]
    assert axes.lines[-1].get_alpha() == 1.0
    assert [text.get_text() for text in axes.texts] == ["0.0001", "0.01", "1", r"\$a", "b", "0", "1", "2"]


def test_of_several_metrics_a_report_shows_the_front(tmp_path: Path) -> None:
    metrics = [{"name": "a", "goal": "minimize"}, {"name": "b", "goal": "maximize"}]
    facts = SweepFacts(json.dumps({"metrics": metrics}), "h", "a", "minimize", 1, 1, 3)
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        store.tracker.record([RunStarted(SWEEP, "two", "Default", 1, sweep=facts)])
        for number, (a, b) in enumerate([(1.0, 1.0), (2.0, 0.5), (3.0, 7.0)]):
            run_id, given = f"{number:032x}", {"kind": None}
            began = RunStarted(run_id, f"t{number}", "Default", 2, SWEEP, given, trial=TrialFacts(number, given))
            told = TrialFacts(number, given, "COMPLETE", value=a)
            points = [Point("a", a), Point("b", b)]
            store.tracker.record([began, RunEnded(run_id, Status.FINISHED, 3, points, trial=told)])
        page = page_of(store, store.tracker.get(SWEEP))
        text = markdown_report(store, page, (), now=9, commands=Commands("memory://", {}))
    assert "| front | 2 trials that no other one beats |" in text
    assert "| trial | a | b | kind |\n|---|---|---|---|\n| 0 | 1 | 1 | null |\n| 2 | 3 | 7 | null |\n" in text
    assert "Winner" not in text


def test_a_report_has_a_known_ending(tmp_path: Path) -> None:
    assert hpo("report", "iris", "-o", str(tmp_path / "x.pdf")).exit_code == 2


def test_a_notebook_shows_summary_history_and_the_best_five(uri: str) -> None:
    html = SweepResult(uri, SWEEP, "iris", "loss", Goal.MINIMIZE)._repr_html_()
    assert "<b>sweep iris</b>: loss (minimize)" in html
    assert "8 COMPLETE; best -0.9589" in html
    assert html.count("<circle") == COUNT
    assert html.count("<tr") == 6
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_best_draws_the_history_above_its_table(uri: str) -> None:
    done = hpo("best", "iris", "--plot", "-n", "1", "--tracker", uri)
    assert "loss (minimize) by trial; line: best so far, -0.958924 by trial 5" in done.stdout
    assert "\u2502" in done.stdout
    assert hpo("best", "iris", "--plot", "-n", "1", "-f", "json", "--tracker", uri).stdout.startswith("[")


def test_a_plot_of_one_trial_and_of_equal_values_is_one_too() -> None:
    for points in ([(0, 1.0, True)], [(0, 1.0, True), (5, 1.0, True)], [(0, 1.0, False)]):
        for is_plain in (True, False):
            drawn = history_plot(points, "loss", Goal.MINIMIZE, width=40, height=8, is_plain=is_plain)
            assert len(drawn.splitlines()) == 8
            assert all(len(line) <= 60 for line in drawn.splitlines())
        assert history_svg(points, "loss", Goal.MINIMIZE).startswith("<svg")
    assert history_plot([(0, 1.0, True)], "loss", Goal.MINIMIZE, width=40, height=8, is_plain=True).isascii()


def test_a_plot_keeps_to_its_width_however_long_its_numbers_are() -> None:
    points = [(number, (-1) ** number * 1.23456e200 * number, True) for number in range(6)]
    lines = history_plot(points, "loss", Goal.MINIMIZE, width=80, height=8, is_plain=True).splitlines()[1:]
    assert max(map(len, lines)) <= 80
    assert len({line.index("|") for line in lines if "|" in line}) == 1


def test_the_line_of_a_plot_is_the_best_that_may_be() -> None:
    points = [(0, 3.0, True), (1, 1.0, False), (2, 2.0, True)]
    assert "2 by trial 2" in history_plot(points, "loss", Goal.MINIMIZE, width=40, height=8, is_plain=True)


def test_texts_are_no_markup() -> None:
    assert markdown("a_b") == "a_b"
    assert markdown("_a_ *b* <i>|`x`") == r"\_a\_ \*b\* \<i\>\|\`x\`"
    assert markdown("a\nb\x1b") == r"a\\x0ab\\x1b"


def test_modules_are_joined_after_those_they_import() -> None:
    modules = {
        "main.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";\nb(c);\n',
        "b.js": 'import { c } from "./c.js";\nexport function b(x) { return x + c; }\n',
        "c.js": "export const c = 1;\n",
    }
    script = joined(modules)
    assert script.index("const c = 1;") < script.index("function b(x)") < script.index("b(c);")
    assert "import" not in script
    assert "export" not in script


@pytest.mark.parametrize(
    "line", ["export default 1;", 'import x from "./c.js";', "export { c };", 'import "https://x/y.js";']
)
def test_what_cannot_be_joined_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cannot be joined"):
        joined({"main.js": f"{line}\n", "c.js": ""})
