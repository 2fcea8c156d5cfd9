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
    pytest.param(path, scheme, id=f"{name}-{scheme}", marks=[] if name in EVERYDAY else [pytest.mark.slow])
    for name, path in PAGES.items()
    for scheme in ("light", "dark")
]
RUN = "() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"


@pytest.fixture(scope="session")
def axe(page_browser) -> str:
    try:
        return page_browser.axe()
    except page_browser.NoBrowser as error:
        pytest.skip(f"accessibility is not looked at: {error}")


@pytest.mark.parametrize(("path", "scheme"), CASES)
def test_axe_finds_nothing_serious(visit, seeded_page, axe, path, scheme):
    page = visit(seeded_page, path, color_scheme=scheme, bypass_csp=True)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(0)
    page.evaluate(axe)
    found = [
        (each["id"], each["impact"], [node["html"][:200] + str(node["any"][:1])[:300] for node in each["nodes"]][:3])
        for each in page.evaluate(RUN)
    ]
    assert [each for each in found if each[1] in ("serious", "critical")] == []
