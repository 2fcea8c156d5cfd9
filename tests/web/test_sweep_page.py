"""One sweep on the page, in a real browser: brushes, order, address, keyboard, what failed and why."""

import re

import pytest
from playwright.sync_api import Page, expect

from trackers.records import RunEnded, RunStarted, Status, TrialFacts

ROWS = ".grid tbody tr[data-number]"


def count(page: Page) -> str:
    return page.locator(".count").inner_text().replace("\u2009", "")


def shown(page: Page) -> int:
    return int(page.locator(".grid").get_attribute("aria-rowcount") or 0) - 1


def brush(page: Page, axis: str, start: float, end: float) -> None:
    """Drags along an axis of the parallel coordinates, from one share of its height to another, 0 at the top."""
    page.locator(".panel-parallel").scroll_into_view_if_needed()
    head = page.locator(".axis-head", has_text=re.compile(rf"^{re.escape(axis)}$")).bounding_box()
    host = page.locator(".parallel").bounding_box()
    assert head is not None
    assert host is not None
    x = head["x"] + head["width"] / 2
    top, height = host["y"] + 30, host["height"] - 78
    page.mouse.move(x, top + start * height)
    page.mouse.down()
    page.mouse.move(x, top + (start + end) / 2 * height)
    page.mouse.move(x, top + end * height)
    page.mouse.up()


def test_brushing_an_axis_filters_table_history_and_address_and_a_reload_keeps_it(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    expect(page.locator(".count")).to_have_text("120 trials")
    before = page.locator(".panel-history .plane").get_attribute("aria-label")

    brush(page, "dropout", 0.5, 1.0)

    expect(page.locator(".count")).to_have_text(re.compile(r"^\d+ of 120 trials$"))
    expect(page).to_have_url(re.compile(r"p\.dropout=-?[\d.e-]*\.\.0\.3"))
    left = int(count(page).split()[0])
    assert 30 < left < 90
    assert shown(page) == left
    history = page.locator(".panel-history .plane").get_attribute("aria-label")
    assert history != before
    assert f"{left} trials shown" in history

    page.locator('.grid th[data-key="value"] button').click()
    expect(page).to_have_url(re.compile(r"sort=value"))
    first = page.locator(f"{ROWS} th").first.inner_text()
    page.reload()
    page.wait_for_selector(ROWS)
    expect(page.locator(".count")).to_have_text(f"{left} of 120 trials")
    expect(page.locator('.grid th[data-key="value"]')).to_have_attribute("aria-sort", "ascending")
    assert page.locator(f"{ROWS} th").first.inner_text() == first

    page.keyboard.press("Escape")
    expect(page.locator(".count")).to_have_text("120 trials")


@pytest.mark.slow
def test_a_drag_over_the_history_filters_by_number_and_value(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    box = page.locator(".panel-history .plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 24)
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 25)
    page.mouse.up()
    expect(page.locator(".chips li")).to_have_count(1)
    expect(page.locator(".chip")).to_have_text(re.compile(r"^trial: \d+ to \d+$"))
    page.locator(".chip-away").click()
    expect(page.locator(".count")).to_have_text("120 trials")


def test_a_filter_is_set_with_the_keyboard_alone(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    page.locator(".axis-head", has_text="model").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Filter trials")
    dialog.get_by_label("forest").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_text("model: forest")
    expect(page.locator(f"{ROWS} td.text").first).to_have_text("forest")
    page.get_by_role("tab", name="Learning curves").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Timeline")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_contain_text("slots")
    expect(page).to_have_url(re.compile("tab=timeline"))


def test_a_failed_trial_shows_reason_traceback_and_log(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    page.get_by_role("button", name=re.compile(r"^\d+ failed")).click()
    expect(page.locator(".count")).to_have_text(re.compile(r"^\d of 120 trials$"))
    page.locator(f"{ROWS} a").first.click()
    expect(page.locator("h1")).to_have_text(re.compile(r"Trial \d+"))
    expect(page.locator(".headline .bad")).to_have_text(re.compile("exception|timeout|signal"))
    expect(page.get_by_label("Traceback")).to_contain_text('File "train.py", line 31')
    expect(page.get_by_label("What it printed, the end of it")).to_contain_text("epoch 11: loss 0.0833")
    page.go_back()
    expect(page.locator(".count")).to_have_text(re.compile(r"^\d of 120 trials$"))


@pytest.mark.slow
def test_pruned_trials_are_shown_as_such(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits?state=~'PRUNED")
    expect(page.locator(f"{ROWS} .state").first).to_have_text("pruned")
    expect(page.locator(f"{ROWS} td.text", has_text="median at step 5").first).to_be_visible()


def test_the_table_holds_the_rows_in_sight_only_and_says_how_many_there_are(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    assert page.locator(ROWS).count() < 40
    assert shown(page) == 120
    page.locator(".grid-scroll").evaluate("scroller => { scroller.scrollTop = 1e6; }")
    expect(page.locator(f'{ROWS}[data-number="0"]')).to_have_attribute("aria-rowindex", "121")


@pytest.mark.slow
def test_every_tab_draws(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/trade-off")
    for name in (
        "Pareto front",
        "Learning curves",
        "Timeline",
        "Contour",
        "Distribution",
        "Winner",
        "Settings",
        "Commands",
    ):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel")).not_to_be_empty()
    expect(page.get_by_role("tabpanel")).to_contain_text("hpo best trade-off")
    page.get_by_role("tab", name="Pareto front").click()
    expect(page.get_by_role("tabpanel")).to_contain_text(
        re.compile(r"\d+ trials on the front of minimize loss, minimize latency")
    )
    page.wait_for_selector("#tab-pane canvas")


@pytest.mark.slow
def test_what_decides_is_said_of_the_first_metric_whichever_is_looked_at(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/trade-off")
    expect(page.locator(".panel-importance h2")).to_have_text("What matters to loss")
    page.get_by_label("Metric").select_option("latency")
    expect(page.locator(".panel-history h2")).to_have_text("latency by trial")
    expect(page.locator(".panel-importance h2")).to_have_text("What matters to loss")
    expect(page.locator(".tile").nth(2)).to_contain_text("of loss")
    page.goto(f"{seeded_page}/sweeps/digits")
    expect(page.locator(".panel-importance h2")).to_have_text("What matters")


@pytest.mark.slow
def test_the_best_tile_says_how_many_trials_were_no_better_since(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    told = page.evaluate("fetch('/api/sweeps/digits/trials').then((answer) => answer.json())")
    ended = [
        (value, number)
        for number, value, state in zip(told["number"], told["value"], told["state"], strict=True)
        if value is not None and told["states"][state] == "COMPLETE"
    ]
    best = min(ended)[1]
    since = sum(number > best for _, number in ended)
    words = "the newest trial" if since == 0 else f"no better in {since} trial"
    expect(page.locator(".best-value")).to_contain_text(f"#{best}")
    expect(page.locator(".tile").nth(1)).to_contain_text(words)


@pytest.mark.slow
def test_compare_counts_all_trials_of_each_sweep(visit, seeded_page):
    page = visit(seeded_page, "/compare?s=digits&s=digits-random")
    rows = page.get_by_role("region", name="Summary").locator("tbody tr")
    expect(rows).to_have_text([re.compile(r"^digits[-\d.e]+120"), re.compile(r"^digits-random[-\d.e]+60")])


@pytest.mark.slow
def test_the_log_box_is_offered_only_where_all_values_are_above_0(tmp_path, seeding, serve, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with seeding.open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        parent = seeding.seed_sweep(store, "digits", 20, seed=3, ended=False)
        page = visit(serve(uri), "/sweeps/digits")
        box = page.locator(".panel-history").get_by_label("log")
        expect(box).to_be_enabled()
        facts = TrialFacts(20, {"dropout": 0.1}, "COMPLETE", value=0.0)
        begun = RunStarted("f" * 32, "late", "digits", seeding.START, parent, trial=TrialFacts(20, {"dropout": 0.1}))
        store.tracker.record([begun, RunEnded("f" * 32, Status.FINISHED, seeding.START + 9, trial=facts)])
        expect(box).to_be_disabled(timeout=20_000)
        page.goto(f"{page.url.partition('?')[0]}?log=1")
        expect(page.locator(".panel-history .note")).to_contain_text("not all values are above 0")
        box.uncheck()
        expect(box).to_be_disabled()


@pytest.mark.slow
def test_a_finger_on_an_axis_brushes_and_beside_it_scrolls(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits", has_touch=True, viewport={"width": 800, "height": 900})
    page.locator(".panel-parallel").scroll_into_view_if_needed()
    head = page.locator(".axis-head", has_text="dropout").bounding_box()
    host = page.locator(".parallel").bounding_box()
    touch = page.context.new_cdp_session(page)

    def swipe(x: float) -> None:
        ends = [host["y"] + 60 + step * 12 for step in range(9)]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": ends[0]}]})
        for y in ends[1:]:
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = page.evaluate("scrollY")
    swipe(head["x"] + head["width"] / 2)
    expect(page.locator(".count")).to_have_text(re.compile(r"^\d+ of 120 trials$"))
    expect(page.locator(".chip")).to_have_text(re.compile("^dropout: "))
    assert page.evaluate("scrollY") >= before  # had the page followed the finger, it would be less
    chip = page.locator(".chip").inner_text()
    swipe(head["x"] + head["width"] / 2 + 40)
    assert page.locator(".chip").all_inner_texts() == [chip]


@pytest.mark.slow
def test_a_filter_that_ends_at_0_is_drawn_on_a_log_axis_too(visit, seeded_page):
    drawn = """() => { const over = document.querySelector(".parallel .over");
      const data = over.getContext("2d").getImageData(0, 0, over.width, over.height).data;
      return data.reduce((sum, each) => sum + each, 0); }"""
    page = visit(seeded_page, "/sweeps/digits", faults=True)  # the browser warns of pictures that are read
    page.wait_for_function(f"({drawn})() > 0")
    plain = page.evaluate(drawn)
    page.locator(".axis-head", has_text="learning_rate").click()
    page.get_by_role("dialog").get_by_label("at least").fill("0")
    page.get_by_role("dialog").get_by_label("at most").fill("0.01")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".chip")).to_have_text("learning_rate: 0 to 0.01")
    expect(page.locator(".count")).to_have_text(re.compile(r"^\d+ of 120 trials$"))
    page.wait_for_function(f"({drawn})() > {plain} + 10000")
