"""A report opened from disk by a real browser: the same page, and nothing in its data runs."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from hpo.cli.main import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["digits", "trade-off", ""])
def test_a_report_shows_the_sweep_from_disk_and_asks_nobody(
    chromium, seeded: str, seeding, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "x.html"
    done = CliRunner().invoke(main, ["report", name or seeding.HOSTILE, "-o", str(file), "--tracker", seeded])
    assert done.exit_code == 0, done.output
    wrong: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda told: wrong.append(told.text) if told.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))

    page.goto(file.as_uri())

    expect(page.locator(".count")).to_contain_text("trials")
    expect(page.locator(".grid tbody tr[data-number]").first).to_be_visible()
    page.wait_for_selector(".panel-history canvas")
    page.locator('.grid th[data-key="number"] button').click()
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    page.locator(".grid tbody tr[data-number] a").first.click()
    expect(page.locator("h1")).to_have_text(re.compile(r"Trial \d+"))
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("learning_rate")
    page.reload()
    expect(page.locator("h1")).to_have_text(re.compile(r"Trial \d+"))
    page.get_by_role("link", name="earlier").or_(page.get_by_role("link", name="later")).first.click()
    page.go_back()
    page.get_by_role("navigation", name="Path").get_by_role("link").click()
    expect(page.locator(".count")).to_contain_text("trials")
    page.get_by_role("button", name=re.compile(r"failed$")).first.click()
    page.locator(".grid tbody tr[data-number] a").first.click()
    expect(page.get_by_role("region", name="Failure")).to_be_visible()
    page.go_back()
    expect(page.locator(".chip").first).to_contain_text("FAILED")
    assert wrong == []
    context.close()
