"""The page with the keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

FOCUS = """() => { const { activeElement: at } = document; return at === document.body ? null :
  { name: (at.getAttribute("aria-label") || at.innerText).slice(0, 30), line: getComputedStyle(at).outlineStyle }; }"""


def test_tab_comes_to_the_end_of_the_page_with_the_focus_always_seen(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    page.wait_for_selector(".grid tbody tr[data-number]")
    stops = []
    while len(stops) < 80:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None:
            break
        stops.append(stop)
    assert 20 < len(stops) < 80  # without an end it would go round in the table for ever
    assert [stop for stop in stops if stop["line"] == "none"] == []


@pytest.mark.slow
def test_arrows_choose_a_trial_that_is_spoken_and_enter_opens_it(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits")
    page.wait_for_selector(".grid tbody tr[data-number]")
    page.locator(".grid-scroll").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#announcer")).to_have_text(re.compile(r"^trial #117, state \w+, loss "))
    expect(page.locator(".chosen")).to_have_attribute("data-number", "117")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Trial 117")


@pytest.mark.slow
def test_escape_closes_a_menu_and_leaves_the_filter(visit, seeded_page):
    page = visit(seeded_page, "/sweeps/digits?p.dropout=0..0.3")
    page.locator(".menu summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".menu-body")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".menu-body")).to_be_hidden()
    expect(page.locator(".chip")).to_have_count(1)
