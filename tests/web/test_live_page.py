"""The page while a sweep runs: what is new appears by itself, and the view stays as it is."""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from trackers.records import NewVersion, Query, RunEnded, RunStarted, Status, TrialFacts

SWEEP = """
version: 1
name: live
metric: {name: loss}
objective: {python: "steps:objective"}
parameters:
  x: {type: float, low: 0, high: 1}
  kind: [a, b]
engine: {sampler: random, seed: 1}
budget: {n_trials: 12}
parallel: {backend: serial, n_jobs: 1}
"""
OBJECTIVE = """
import time
from pathlib import Path

def objective(params, trial):
    while not Path(__file__).with_name(f"end-{trial.number}").exists():
        time.sleep(0.01)
    if trial.number == 4:
        raise ValueError("the fourth one fails")
    return params["x"]
"""


Running = tuple[str, subprocess.Popen[bytes], Callable[[int], None]]


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Running]:
    """A real sweep in a process of its own: its store, that process, and what lets a trial end."""
    with running(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path) as started:
        yield started


@contextlib.contextmanager
def running(uri: str, tmp_path: Path, text: str = SWEEP) -> Iterator[Running]:
    (tmp_path / "sweep.yaml").write_text(text)
    (tmp_path / "steps.py").write_text(OBJECTIVE)
    command = [Path(sys.executable).with_name("hpo"), "run", "sweep.yaml", "--tracker", uri]
    with (tmp_path / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
        try:
            for number in range(3):
                (tmp_path / f"end-{number}").touch()
            while b"trial 2 " not in (tmp_path / "output.txt").read_bytes():
                assert process.poll() is None, (tmp_path / "output.txt").read_text()
                time.sleep(0.02)
            yield uri, process, lambda number: (tmp_path / f"end-{number}").touch()
        finally:
            process.kill()
            process.wait()


def test_new_trials_appear_without_a_reload_and_the_view_stays(serve, sweep, visit):
    uri, _, end = sweep
    page = visit(serve(uri), "/sweeps/live?p.x=0..1&sort=p.x")
    expect(page.locator(".connection")).to_have_text("live")
    expect(page.locator(".tile").first).to_contain_text("3 of 12")
    page.evaluate("window.same = true; scrollTo(0, 300)")

    end(3)

    expect(page.locator(".tile").first).to_contain_text("4 of 12")
    expect(page.locator('.grid tr[data-number="3"] .state')).to_have_text("complete")
    end(4)
    expect(page.get_by_role("button", name="1 failed")).to_be_visible()
    expect(page.locator(".tile").nth(3)).to_contain_text("exception (1)")

    assert page.evaluate("window.same")
    assert page.evaluate("scrollY") == 300
    assert page.locator(".chip").inner_text() == "x: 0 to 1"
    expect(page).to_have_url(re.compile(r"p\.x=0\.\.1.*sort=p\.x"))
    expect(page.locator('.grid th[data-key="p.x"]')).to_have_attribute("aria-sort", "ascending")
    numbers = [float(text) for text in page.locator(".grid tbody tr[data-number] td:nth-child(5)").all_inner_texts()]
    assert numbers == sorted(numbers)


@pytest.mark.slow
def test_the_page_says_when_the_sweep_ends_and_lists_follow(serve, sweep, visit):
    uri, _, end = sweep
    address = serve(uri)
    page = visit(address, "/sweeps/live?tab=commands")
    page.get_by_role("tab", name="Commands").scroll_into_view_if_needed()
    expect(page.get_by_role("tabpanel")).to_contain_text("hpo stop live")
    listed = visit(address)
    expect(listed.locator("table.sweeps")).to_contain_text("running")
    for number in range(3, 12):
        end(number)
    expect(page.locator(".title-row .status")).to_have_text("finished", timeout=20_000)
    expect(page.locator(".tile").first).to_contain_text("12 of 12")
    expect(listed.locator("table.sweeps")).to_contain_text("finished", timeout=20_000)
    expect(page.locator(".tile").first).to_contain_text("by n_trials")
    expect(page.get_by_role("tabpanel")).not_to_contain_text("hpo stop live")
    page.get_by_role("tab", name="Winner").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("Winner: trial")


@pytest.mark.slow
def test_a_driver_that_dies_is_missed_though_nothing_is_written_any_more(serve, sweep, visit):
    uri, process, _ = sweep
    page = visit(serve(uri), "/sweeps/live?tab=commands")
    page.get_by_role("tab", name="Commands").scroll_into_view_if_needed()
    expect(page.get_by_role("tabpanel")).to_contain_text("hpo stop live")
    process.kill()
    process.wait()
    expect(page.locator(".tile").first).to_contain_text("Its driver is gone", timeout=20_000)
    expect(page.locator(".tile").first).not_to_contain_text("left")
    expect(page.get_by_role("tabpanel")).to_contain_text("hpo resume live")


@pytest.mark.slow
def test_a_sweep_of_hyperopt_in_postgresql_is_followed_as_well(postgres_uri, serve, visit, tmp_path):
    text = SWEEP.replace("sampler: random", "name: hyperopt, sampler: tpe")
    with running(postgres_uri, tmp_path, text) as (uri, process, end):
        page = visit(serve(uri), "/sweeps/live")
        expect(page.locator(".tile").first).to_contain_text("3 of 12")
        expect(page.locator(".tile").first).to_contain_text(re.compile(r"about \S+ \w+ left"))
        end(3)
        expect(page.locator('.grid tr[data-number="3"] .state')).to_have_text("complete")
        process.kill()
        process.wait()
        expect(page.locator(".tile").first).to_contain_text("Its driver is gone", timeout=20_000)


@pytest.mark.slow
def test_what_others_register_and_compare_follow_without_a_reload(tmp_path, seeding, serve, visit):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with seeding.open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        ids = [seeding.seed_sweep(store, name, 20, seed=at, ended=False) for at, name in enumerate(("one", "two"))]
        address = serve(uri)
        models = visit(address, "/models")
        sweep = visit(address, "/sweeps/one?tab=winner")
        compared = visit(address, "/compare?s=one&s=two")
        rows = compared.get_by_role("region", name="Summary").locator("tbody tr")
        expect(rows.nth(0).locator("td").nth(1)).to_have_text("20")
        expect(rows.nth(1).locator("td").nth(1)).to_have_text("20")
        sweep.get_by_role("tab", name="Winner").scroll_into_view_if_needed()
        expect(sweep.get_by_role("tabpanel")).to_contain_text("not registered")

        (trial,) = store.tracker.find(Query(parent=ids[0], limit=1))
        new = NewVersion("m", "/nowhere", trial.id, "k", tags={"hpo.sweep_run_id": ids[0]}, who="ana")
        store.registry.register(new)
        store.registry.set_alias("m", "champion", 1, who="ana")
        facts = TrialFacts(20, {"dropout": 0.1}, "COMPLETE", value=-5.0)
        begun = RunStarted("f" * 32, "late", "two", seeding.START, ids[1], trial=TrialFacts(20, {"dropout": 0.1}))
        store.tracker.record([begun, RunEnded("f" * 32, Status.FINISHED, seeding.START + 9, trial=facts)])

        expect(models.locator("main")).to_contain_text("champion → 1", timeout=20_000)
        expect(sweep.get_by_role("tabpanel")).to_contain_text("registered as m version 1", timeout=20_000)
        expect(sweep.get_by_role("tabpanel").locator(".badge")).to_have_text("champion", timeout=20_000)
        expect(rows.nth(1).locator("td").nth(1)).to_have_text("21", timeout=20_000)
        expect(rows.nth(1).locator("td").nth(0)).to_have_text("-5")
