"""Ten thousand trials on the page, and a hundred thousand by a sample."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def many(seeding, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("many")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with seeding.open_store(uri, artifacts=str(folder / "mlruns")) as store:
        seeding.seed_sweep(store, "many", 10_000, seed=1)
        seeding.seed_sweep(store, "huge", 25_000, seed=2)
    return uri


def test_ten_thousand_trials_are_sorted_and_brushed(many, serve, visit):
    page = visit(serve(many), "/sweeps/many")
    expect(page.locator(".count")).to_have_text("10\u2009000 trials")
    page.locator('.grid th[data-key="value"] button').click()
    expect(page.locator('.grid th[data-key="value"]')).to_have_attribute("aria-sort", "ascending")
    values = [float(text) for text in page.locator(".grid tbody tr[data-number] td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values)
    best = page.locator(".best-value").inner_text().split(" ")[0]
    assert float(best) == pytest.approx(values[0], rel=1e-4)
    page.locator('.grid th[data-key="value"] button').click()
    expect(page.locator('.grid th[data-key="value"]')).to_have_attribute("aria-sort", "descending")
    page.locator(".grid-scroll").evaluate("scroller => { scroller.scrollTop = 1e7; }")
    last = page.locator(".grid tbody tr[data-number]").last
    expect(last).to_have_attribute("aria-rowindex", "10001")
    expect(last.locator("td").nth(1)).to_have_text("–")

    head = page.locator(".axis-head", has_text="dropout").bounding_box()
    host = page.locator(".parallel").bounding_box()
    x = head["x"] + head["width"] / 2
    page.mouse.move(x, host["y"] + 60)
    page.mouse.down()
    for step in range(1, 20):
        page.mouse.move(x, host["y"] + 60 + step * 6)
    page.mouse.up()
    expect(page.locator(".count")).to_have_text(re.compile("of 10\u2009000 trials"))


def test_a_sample_is_said_to_be_one(many, serve, visit):
    page = visit(serve(many), "/sweeps/huge")
    expect(page.locator(".panel-history .note")).to_contain_text(re.compile("of 25.?000"))
    expect(page.locator(".count")).to_contain_text("a sample of 25\u2009000")
    expect(page.locator(".tile").nth(3)).to_contain_text("of those shown")
    page.get_by_role("tab", name="Timeline").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("others that are not shown ran in between")
    expect(page.get_by_role("tabpanel")).not_to_contain_text("busy")
    expect(page.locator(".tile").first).to_contain_text("25\u2009000")
