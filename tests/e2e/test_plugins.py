"""The pages of plugins in a browser: found, looked at, enabled, set up; readable by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SignedIn
from tests.e2e.site import Site
from tests.e2e.test_access import findings

pytestmark = pytest.mark.browser
PAGES = ("/plugins", "/plugins/files", "/plugins/helpdesk", "/plugins/undelivered")


@pytest.fixture(scope="module", autouse=True)
def _installed(site: Site) -> None:
    """The plugins that come along are listed, one of them is enabled."""
    site.command("plugin", "list")
    site.command("plugin", "enable", "files")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_serious_and_nothing_spills_out(
    page_as: SignedIn, site: Site, scheme: str, width: int
) -> None:
    page = page_as("admin", scheme=scheme, width=width)
    for path in PAGES:
        page.goto(f"{site.url}{path}")
        assert findings(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_new_plugin_says_that_nothing_of_it_ran_and_is_enabled_where_it_is_shown(
    page_as: SignedIn, site: Site
) -> None:
    page = page_as("admin")
    page.goto(f"{site.url}/plugins")
    row = page.locator("li.plugin", has=page.get_by_role("heading", name="helpdesk"))
    expect(row).to_contain_text("Nothing of it was run.")
    row.get_by_role("link", name="Enable").click()
    page.get_by_role("button", name="Enable version").click()
    expect(page.get_by_text("Enabled.", exact=True)).to_be_visible(timeout=20_000)
    page.get_by_label("Why, for those who come after you").fill("Not used here")
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(page.get_by_text("Not used here")).to_be_visible()
