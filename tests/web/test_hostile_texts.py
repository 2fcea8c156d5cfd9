"""Names, parameters, logs and notes full of markup, scripts and control characters stay text."""

from urllib.parse import quote

import pytest
from playwright.sync_api import expect


def undisturbed(page) -> None:
    assert page.title() != "taken"
    assert page.locator("img").count() == 0
    assert page.locator("body script").count() == 0
    assert page.evaluate("document.body.innerText.includes('\\u001b')") is False


def test_hostile_texts_change_nothing_on_any_page(visit, seeded_page, seeding):
    page = visit(seeded_page)
    expect(page.locator("table.sweeps")).to_contain_text("<img src=x onerror=")
    undisturbed(page)

    page.get_by_role("link", name="<img src=x").click()
    page.wait_for_selector(".grid tbody tr[data-number]")
    expect(page.locator("h1")).to_contain_text("<script>document.title='taken'</script>")
    expect(page.locator("h1")).to_contain_text("\\x1b[31m")
    undisturbed(page)
    for tab in ("Timeline", "Contour", "Distribution", "Settings", "Commands", "Learning curves"):
        page.get_by_role("tab", name=tab).click()
        undisturbed(page)
    box = page.locator(".panel-history .plane").bounding_box()
    for share in range(10, 100, 3):
        page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + box["height"] * 0.7)
    undisturbed(page)

    page.get_by_role("button", name="failed").first.click()
    page.locator(".grid tbody tr[data-number] a").first.click()
    expect(page.get_by_label("What it printed, the end of it")).to_contain_text(
        "<script>document.title='taken'</script>"
    )
    expect(page.get_by_label("Traceback")).to_contain_text("onerror=")
    undisturbed(page)

    name = quote(seeding.HOSTILE, safe="")
    page.goto(f"{seeded_page}/compare?s=digits&s={name}")
    expect(page.locator("main")).to_contain_text("Differing settings")
    undisturbed(page)


@pytest.mark.slow
def test_a_hostile_address_changes_nothing(visit, seeded_page):
    evil = quote("<img src=x onerror=alert(1)>", safe="")
    page = visit(seeded_page, f"/sweeps/digits?p.{evil}=1..2&sort={evil}&tab={evil}&metric={evil}&top=-1&value=x..y")
    undisturbed(page)
    expect(page.locator(".count")).to_contain_text("120 trials")
