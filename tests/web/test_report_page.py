"""A report opened from disk: the same page, with nothing but its own file."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from hpo.cli.main import main

pytestmark = pytest.mark.slow


def test_a_report_is_looked_at_from_disk(chromium, seeded, tmp_path: Path):
    file = tmp_path / "report.html"
    told = CliRunner().invoke(main, ["report", "digits", "-o", str(file), "--tracker", seeded])
    assert told.exit_code == 0, told.output
    wrong: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on(
        "request", lambda asked: None if asked.url.startswith((file.as_uri(), "data:")) else wrong.append(asked.url)
    )
    page.goto(file.as_uri())
    expect(page.locator(".count")).to_have_text("120 trials")
    page.get_by_role("button", name=re.compile(r"^\d+ failed")).click()
    expect(page).to_have_url(re.compile("#state="))
    page.reload()
    expect(page.locator(".count")).to_have_text(re.compile(r"^\d of 120 trials"))
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(page.get_by_role("tabpanel")).not_to_be_empty()
    context.close()
    assert wrong == []
