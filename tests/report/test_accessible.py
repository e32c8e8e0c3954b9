"""The page in a real browser: everybody can use it, at any width, in light and dark; it asks for nothing."""

import shutil

import pytest

from resilience.report.html import page
from resilience.report.material import Material

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright (`uv sync --group test`)")
axe = pytest.importorskip("axe_playwright_python.base", reason="needs axe-core (`uv sync --group test`)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on PATH (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def browser():
    """A browser of our own."""
    with playwright.sync_playwright() as started:
        # What a test looks at is ours alone; inside containers the sandbox cannot be had.
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens pages; what they ask for and complain of is kept, and must be nothing."""
    heard = []

    def open_page(content, **options):
        file = tmp_path / "report.html"
        file.write_bytes(content)
        context = browser.new_context(bypass_csp=False, **options)
        found = context.new_page()
        found.on("console", lambda message: heard.append(message.text))
        found.on("pageerror", lambda error: heard.append(str(error)))
        found.on("request", lambda request: heard.append(request.url) if request.url != file.as_uri() else None)
        found.goto(file.as_uri())
        return found

    yield open_page
    assert heard == []


def violations(found):
    """What axe-core has to complain of, with where."""
    found.evaluate(axe.AXE_SCRIPT)
    told = found.evaluate("axe.run()")
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in told["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(opened, make, scheme, width):
    """Requirement R1: no violation of axe-core's rules, all of it opened too; nothing is wider than the page."""
    found = opened(
        page([Material(make.record(), make.verdict())]), viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert found.locator("canvas").count() == 3
    assert found.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if (scheme, width) in {("light", 1280), ("dark", 390)}:
        found.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert violations(found) == []
    assert found.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_several_runs_can_be_used_alike(opened, make):
    """Ids are unique, headings in order, each run's pictures are drawn."""
    found = opened(page([Material(make.record(), make.verdict()), Material(*make.hostile())]))
    assert found.locator("canvas").count() == 6
    assert violations(found) == []
    found.get_by_role("navigation", name="Runs").get_by_role("link").nth(1).click()
    assert found.url.endswith("#run-2-top")


def test_pictures_by_keyboard(opened, make):
    """A picture takes the focus; arrow keys read it value by value; lines are shown and hidden; the scale changes."""
    found = opened(page([Material(make.record(), make.verdict())]))
    picture = found.locator("[data-chart=throughput]")
    picture.focus()
    for _ in range(3):
        found.keyboard.press("ArrowRight")
    said = picture.locator(".u-legend").inner_text()
    assert "2.5 s" in said
    assert "/s" in said
    line = picture.locator(".u-legend [role=button]").first
    line.focus()
    found.keyboard.press("Enter")
    assert "u-off" in picture.locator(".u-legend .u-series").nth(1).get_attribute("class")
    scale = found.get_by_role("button", name="Linear latency")
    scale.focus()
    found.keyboard.press("Enter")
    assert found.get_by_role("button", name="Logarithmic latency").count() == 1


def test_without_scripts_the_figures_are_there(opened, make):
    """The tables of the pictures, the definitions and everything else can be read."""
    found = opened(page([Material(make.record(), make.verdict())]), java_script_enabled=False)
    assert found.locator("[data-chart=latency]").is_hidden()
    found.get_by_text("Latency as a table").click()
    assert found.get_by_role("group", name="Latency as a table").is_visible()
