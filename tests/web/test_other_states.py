"""What the page says when there is nothing to show, nobody to ask, or somebody else wrote the store."""

import random
import re

import pytest
from playwright.sync_api import expect

from trackers.opening import open_store
from trackers.records import Point, RunEnded, RunStarted, Status, TrialFacts

TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].map((node) => [node, node.getBoundingClientRect().right])
    .filter(([, right]) => right > innerWidth).map(([node, right]) => `${node.tagName}.${node.className} ${right}`)"""

IS_DRAWN = """() => { const lines = document.querySelector(".parallel .lines");
  return lines.getContext("2d").getImageData(0, 0, lines.width, lines.height).data.some((each) => each > 0); }"""


def foreign_sweep(uri: str) -> None:
    """A parent with children, as plain MLflow code writes them."""
    with open_store(uri) as store:
        store.tracker.experiment("theirs")
        store.tracker.record([RunStarted("a" * 32, "grid", "theirs", 1_790_000_000_000)])
        for number in range(6):
            run_id = f"{number:032x}"
            params = {"depth": str(number), "kind": "ab"[number % 2]}
            began = 1_790_000_000_000 + number * 1000
            started = RunStarted(run_id, f"child {number}", "theirs", began, parent_id="a" * 32, params=params)
            ended = RunEnded(run_id, Status.FINISHED, began + 900, points=[Point("accuracy", 0.5 + number / 20)])
            store.tracker.record([started, ended])
        store.tracker.record([RunEnded("a" * 32, Status.FINISHED, 1_790_000_009_000)])


def test_runs_that_mlflow_wrote_are_shown_and_the_goal_is_asked_for(tmp_path, serve, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    foreign_sweep(uri)
    page = visit(serve(uri), "/sweeps/grid")
    expect(page.locator(".count")).to_have_text("6 trials")
    expect(page.locator(".tile").nth(1)).to_contain_text("no goal is on record")
    assert page.evaluate(IS_DRAWN)
    expect(page.locator(".scale-key")).to_be_hidden()
    page.get_by_role("tab", name="Distribution").click()
    page.wait_for_selector("#tab-pane canvas")
    page.get_by_label("Goal").select_option("maximize")
    expect(page.locator(".best-value")).to_contain_text("0.75")
    expect(page).to_have_url(re.compile("goal=maximize"))
    page.locator(".grid tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("Trial")
    page.goto(page.url.partition("/sweeps")[0] + "/compare?s=grid&s=grid")
    expect(page.locator("main table.plain tbody tr").first).to_have_text(re.compile(r"^grid–6"))


@pytest.mark.slow
def test_of_many_parameters_those_are_drawn_that_matter_most(tmp_path, serve, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with open_store(uri) as store:
        store.tracker.experiment("wide")
        store.tracker.record([RunStarted("a" * 32, "wide", "wide", 1_790_000_000_000)])
        draw = random.Random(1)
        for number in range(40):
            run_id, params = f"{number:032x}", {f"p{at:02}": f"{draw.random():.4f}" for at in range(20)}
            begun = 1_790_000_000_000 + number
            started = RunStarted(run_id, f"c{number}", "wide", begun, parent_id="a" * 32, params=params)
            told = [Point("loss", float(params["p18"]))]
            store.tracker.record([started, RunEnded(run_id, Status.FINISHED, begun + 9, points=told)])
    page = visit(serve(uri), "/sweeps/wide")
    expect(page.locator(".panel-parallel")).to_contain_text("the 14 of 20 parameters that matter most")
    expect(page.locator(".axis-head", has_text="p18")).to_have_count(1)


def test_an_empty_store_says_how_to_begin(tmp_path, serve, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    open_store(uri).close()
    page = visit(serve(uri))
    expect(page.locator(".empty")).to_contain_text("hpo run sweep.yaml")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".empty")).to_contain_text("No model is registered yet.")


def test_what_is_not_there_is_said_with_a_way_on(seeded_page, visit):
    page = visit(seeded_page, "/sweeps/nobody", faults=True)
    expect(page.locator(".empty")).to_contain_text("All sweeps")
    page.goto(f"{seeded_page}/sweeps/digits/trials/999")
    expect(page.locator(".empty")).to_contain_text("There is no trial 999 in digits.")


@pytest.mark.slow
def test_a_server_that_went_away_is_named_and_what_was_shown_stays(seeded, serving_by_hand, visit):
    server = serving_by_hand(seeded)
    page = visit(server.__enter__(), "/sweeps/digits", faults=True)
    expect(page.locator(".count")).to_have_text("120 trials")
    server.__exit__()
    expect(page.locator(".connection")).to_have_text("reconnecting …", timeout=15_000)
    expect(page.locator(".count")).to_have_text("120 trials")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".empty")).to_contain_text("The server does not answer.")


@pytest.mark.slow
def test_a_server_that_comes_back_is_followed_again_from_where_it_was(tmp_path, seeding, serving_by_hand, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with seeding.open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        parent = seeding.seed_sweep(store, "digits", 20, seed=3, ended=False)
        server = serving_by_hand(uri)
        address = server.__enter__()
        page = visit(address, "/sweeps/digits?p.dropout=0..0.6", faults=True)
        expect(page.locator(".count")).to_have_text("20 trials")
        page.evaluate("window.same = true")
        server.__exit__()
        expect(page.locator(".connection")).to_have_text("reconnecting …", timeout=15_000)
        facts = TrialFacts(20, {"dropout": 0.1}, "COMPLETE", value=-5.0)
        begun = RunStarted("f" * 32, "late", "digits", seeding.START, parent, trial=TrialFacts(20, {"dropout": 0.1}))
        store.tracker.record([begun, RunEnded("f" * 32, Status.FINISHED, seeding.START + 9, trial=facts)])
        with serving_by_hand(uri, port=int(address.rpartition(":")[2])):
            expect(page.locator(".count")).to_have_text("21 trials", timeout=30_000)
            expect(page.locator(".best-value")).to_contain_text("-5")
            expect(page.locator(".connection")).to_have_text("live")
            assert page.locator(".chip").inner_text() == "dropout: 0 to 0.6"
            assert page.evaluate("window.same")


@pytest.mark.slow
def test_after_a_restart_with_another_token_the_page_says_how_to_go_on(seeded, serving_by_hand, visit):
    server = serving_by_hand(seeded)
    address = server.__enter__()
    page = visit(address, "/sweeps/digits", faults=True)
    server.__exit__()
    expect(page.locator(".connection")).to_have_text("reconnecting …", timeout=15_000)
    with serving_by_hand(seeded, port=int(address.rpartition(":")[2]), token="another-token-of-the-tests"):
        expect(page.locator(".connection")).to_contain_text("open the address that hpo ui prints", timeout=30_000)
        expect(page.locator(".count")).to_have_text("120 trials")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/sweeps/digits", "/sweeps/digits/trials/0", "/models", "/sweeps/trade-off"])
def test_nothing_is_wider_than_a_narrow_screen(seeded_page, visit, path):
    page = visit(seeded_page, path, viewport={"width": 360, "height": 740})
    page.wait_for_selector("h1")
    assert page.evaluate(TOO_WIDE) == []
