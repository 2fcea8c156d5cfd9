"""How soon the first screen is drawn in a real Chromium, and a brush followed by the count of trials."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from page_browser import browser as chromium
from pages.peers import mlflow_server, optuna_dashboard
from pages.served import NAME, Page, page, seeded


def browser(trials: Sequence[int], repeat: int) -> None:
    print("browser: first screen, and a brush until the count follows")
    with chromium() as started:
        for count in trials:
            with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
                folder = Path(scratch)
                uri = seeded(folder, count)
                with page(uri) as running:
                    found = [ours(started, running) for _ in range(repeat)]
                screen, brush = (statistics.median(times) for times in zip(*found, strict=True))
                print(f"  {count:>7,} trials, hpo ui: first screen {screen:.0f} ms, brush {brush:.0f} ms")
                for name, peer in (("mlflow server", mlflow_server), ("optuna-dashboard", optuna_dashboard)):
                    try:
                        with peer(folder, count) as (address, drawn):
                            times = [first_screen(started, address, drawn) for _ in range(repeat)]
                        print(f"  {count:>7,} trials, {name}: first screen {statistics.median(times):.0f} ms")
                    except Exception as error:
                        print(
                            f"  {count:>7,} trials, {name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}"
                        )


def ours(started, running: Page) -> tuple[float, float]:
    context = started.new_context(viewport={"width": 1280, "height": 900})
    looked = context.new_page()
    looked.goto(running.login)
    looked.goto(f"{running.base}/sweeps/{NAME}", wait_until="commit")
    looked.wait_for_selector(".grid tbody tr[data-number]", timeout=120_000)
    looked.wait_for_selector(".panel-history canvas", timeout=120_000)
    screen = looked.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
    looked.wait_for_selector(".panel-importance .bar-row", timeout=120_000)  # the last that moves what stands below it
    looked.wait_for_timeout(1500)
    looked.locator(".panel-parallel").scroll_into_view_if_needed()
    head = looked.locator(".axis-head", has_text="dropout").bounding_box()
    host = looked.locator(".parallel").bounding_box()
    x, y = head["x"] + head["width"] / 2, host["y"] + 60
    looked.mouse.move(x, y)
    looked.mouse.down()
    looked.mouse.move(x, y + 40, steps=4)
    looked.wait_for_timeout(500)
    looked.evaluate(_WATCH)
    looked.mouse.move(x, y + 90)
    brush = looked.evaluate("window.brushed")
    looked.mouse.up()
    context.close()
    return screen, brush


_WATCH = """() => {
  const count = document.querySelector(".count");
  let moved = 0;
  document.addEventListener("pointermove", () => { moved ||= performance.now(); }, { capture: true, once: true });
  window.brushed = new Promise((done, fail) => {
    setTimeout(() => fail(new Error("nothing followed the brush for 30 s")), 30000);
    new MutationObserver(() => requestAnimationFrame(() => done(performance.now() - moved)))
      .observe(count, { childList: true, subtree: true, characterData: true });
  });
}"""


def first_screen(started, address: str, drawn: str) -> float:
    context = started.new_context(viewport={"width": 1280, "height": 900})
    looked = context.new_page()
    looked.goto(address, wait_until="commit")
    looked.wait_for_selector(drawn, timeout=120_000)
    found = looked.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
    context.close()
    return found
