"""What axe-core finds on each page, in light and in dark."""

import pytest

PAGES = {
    "list": "/",
    "sweep": "/sweeps/digits?p.dropout=..0.3&tab=settings",
    "trial": "/sweeps/digits/trials/0",
    "compare": "/compare?s=digits&s=digits-random",
    "several metrics": "/sweeps/trade-off",
    "models": "/models",
}
EVERYDAY = ("sweep",)
CASES = [
    pytest.param(path, id=name, marks=[] if name in EVERYDAY else [pytest.mark.slow]) for name, path in PAGES.items()
]
RUN = "() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"


@pytest.fixture(scope="session")
def axe(page_browser) -> str:
    try:
        return page_browser.axe()
    except page_browser.NoBrowser as error:
        pytest.skip(f"accessibility is not looked at: {error}")


@pytest.mark.parametrize("path", CASES)
def test_axe_finds_nothing_serious_in_light_and_dark(visit, seeded_page, axe, path):
    page = visit(seeded_page, path, color_scheme="light", bypass_csp=True)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.evaluate(axe)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert [serious(each) for each in page.evaluate(RUN) if each["impact"] in ("serious", "critical")] == []


def serious(found) -> tuple[str, list[str]]:
    return found["id"], [node["html"][:200] + node["failureSummary"][:300] for node in found["nodes"][:3]]
