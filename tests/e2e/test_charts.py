"""Charts in a real browser: readable by everybody, light and dark, on a phone; and taken away as files."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import SignedIn
from tests.e2e.site import Site
from tests.e2e.test_access import findings
from tests.web import gallery

pytestmark = pytest.mark.browser

STATIC = Path(__file__).parents[2] / "qa" / "web" / "static" / "dist"
PAGE = """<!doctype html><html lang="en" data-theme="{{ scheme }}" class="has-scripts"><head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Charts</title>
<style>{{ sheet | safe }}</style></head>
<body>{% include "_defs.html" %}{% import "macros.html" as ui with context %}
<main class="page"><h1>Charts</h1><div class="stack loose">
{{ ui.figure(trend, "No unusual change.", "For 5 points you need 91.", "score over time") }}
{{ ui.figure(funnel, "One of 7 agents does.") }}{{ ui.figure(control, "Worth a look: week 40.") }}
{{ ui.heat(heat, "By question and month") }}
{% for name, picture in small.items() %}<figure class="chart">{{ picture }}</figure>{% endfor %}
</div></main></body></html>"""


def shown(app: Flask, browser: Browser, folder: Path, *, scheme: str, width: int) -> Page:
    """A page with every chart."""
    sheet = next(STATIC.glob("candor-*.css")).read_text(encoding="utf-8")
    with app.test_request_context("/"):
        text = app.jinja_env.from_string(PAGE).render(
            scheme=scheme,
            sheet=sheet,
            trend=gallery.trend_chart(),
            funnel=gallery.funnel_chart(),
            control=gallery.control_chart(),
            heat=gallery.heat_map(),
            small=gallery.small_pictures(),
        )
    (folder / "charts.html").write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((folder / "charts.html").as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_charts_are_readable_by_everybody(
    app: Flask, browser: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    page = shown(app, browser, tmp_path, scheme=scheme, width=width)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    seen = page.locator("svg.wide:visible").count(), page.locator("svg.narrow:visible").count()
    assert seen == ((3, 0) if width > 700 else (0, 3)), "drawn twice, shown once"
    page.close()


def test_a_table_stands_below_each_chart_and_opens_without_scripts(
    app: Flask, browser: Browser, tmp_path: Path
) -> None:
    page = shown(app, browser, tmp_path, scheme="light", width=1280)
    page.get_by_text("As a table").first.click()
    assert page.get_by_role("cell", name="29 Jul").is_visible()
    page.close()


@pytest.fixture
def waterfall(page_as: SignedIn, site: Site) -> Page:
    """The page of an evaluation whose score is drawn."""
    page = page_as("evaluator", scheme="dark")
    page.goto(f"{site.url}/evaluations")
    page.locator("tbody a[href^='/evaluations/']").first.click()
    page.locator("[data-chart]").first.wait_for()
    return page


def saved(page: Page, kind: str) -> Path:
    """The file that a chart's button hands over."""
    with page.expect_download() as download:
        page.locator(f"[data-save={kind}]").first.click()
    assert download.value.suggested_filename == f"score-waterfall.{kind}"
    return Path(download.value.path())


def test_a_chart_is_taken_away_as_a_picture_that_needs_no_style_sheet(waterfall: Page) -> None:
    root = ElementTree.fromstring(saved(waterfall, "svg").read_text(encoding="utf-8"))
    assert root.get("aria-label", "").startswith("Score waterfall")
    paper = root[0] if root[0].tag.endswith("rect") else root[1]
    assert paper.get("fill", "").startswith("rgb("), "the paper of the theme"
    words = [one for one in root.iter() if one.tag.endswith("text")]
    assert words
    assert all(one.get("font-size") and one.get("fill", "").startswith("rgb(") for one in words)


def test_a_chart_is_taken_away_as_png_twice_as_fine(waterfall: Page) -> None:
    raw = saved(waterfall, "png").read_bytes()
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(raw[16:20], "big") == 1800


def test_a_charts_table_is_taken_away_as_csv(waterfall: Page) -> None:
    text = saved(waterfall, "csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["Step", "Points", "Leaves"]
    assert len(rows) >= 3, "at least all points and what is left"
    assert all(len(row) == 3 for row in rows)
