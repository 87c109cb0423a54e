"""The tracking page in a real browser: without scripts, on a phone, with large letters, for everybody (axe).

It needs Chromium and the extra ``browser``, and is skipped where one of them is missing. TRACKING_PAGE_PICTURES names a
folder for pictures of what was looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.tracking_page import limits
from fulfilment.v1 import tracking_links_pb2
from tests.support.edge import edging
from tests.support.service import Client, Service, context
from tests.support.tracked import TrackedShop
from tests.support.trading import PNG

playwright = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
axe_script = pytest.importorskip("axe_playwright_python.base", reason="the extra browser is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

PICTURES = os.environ.get("TRACKING_PAGE_PICTURES", "")
PHONE = {"width": 360, "height": 740}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def edge(service: Service) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits.Rates, "allows", lambda self, limit, key, now: True)
        with edging(service) as address:
            yield address


@pytest.fixture(scope="module")
def pages(client: Client) -> dict[str, str]:
    """The paths of what is looked at."""
    shop = TrackedShop(client)
    shop.agree()
    withdrawn = shop.placed("WITHDRAWN")
    found = {"withdrawn": shop.path(withdrawn)}
    request = tracking_links_pb2.WithdrawTrackingLinkRequest(context=context(), order_id=withdrawn)
    client.tracking_links.WithdrawTrackingLink(request)
    goods = ("Sencha tea, 250 g", "Cast-iron teapot, black")
    delivered = shop.path(shop.delivered("1003", *goods, quantity=2))
    return {
        **found,
        "on-its-way": shop.path(shop.on_its_way("1001")),
        "customs": shop.path(shop.held("1002")),
        "delivered": delivered,
        "problem": shop.path(shop.delivered("1004", *goods, quantity=2)) + "/problem",
        "not-found": "/t/nothing",
        "find": "/track/default/shop",
    }


def opened(browser: Any, edge: str, path: str, **wanted: Any) -> Any:
    """A page in a browser without scripts, on a phone."""
    context = browser.new_context(**{"viewport": PHONE, "java_script_enabled": False, "locale": "en-GB", **wanted})
    page = context.new_page()
    page.goto(edge + path)
    return page


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES, f"{name}.png"), full_page=True)


def violations(page: Any) -> list[str]:
    """What axe finds; its script is run from outside, past the page's own rule against scripts."""
    page.evaluate(axe_script.AXE_SCRIPT)
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_for_everybody(browser: Any, edge: str, pages: dict[str, str], language: str, scheme: str):
    page = opened(browser, edge, pages["find"], locale=language, color_scheme=scheme, java_script_enabled=True)
    for name, path in pages.items():
        page.goto(edge + path)
        assert (name, violations(page)) == (name, [])
        assert page.evaluate("document.documentElement.lang") == language[:2]
        picture(page, f"{name}-{language[:2]}-{scheme}")
    page.context.close()


def test_nothing_is_cut_off_on_a_phone_nor_with_letters_of_twice_the_size(
    browser: Any, edge: str, pages: dict[str, str]
):
    page = opened(browser, edge, pages["find"], java_script_enabled=True)
    for name, path in pages.items():
        page.goto(edge + path)
        for width, letters in ((360, "100%"), (320, "100%"), (360, "200%")):
            page.set_viewport_size({"width": width, "height": 740})
            page.evaluate("size => { document.documentElement.style.fontSize = size }", letters)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert (name, width, letters, wide <= width) == (name, width, letters, True)
        picture(page, f"{name}-large")
    page.context.close()


def test_a_problem_is_reported_without_scripts_and_by_keys_alone(
    browser: Any, edge: str, pages: dict[str, str], tmp_path: Path
):
    photo = tmp_path / "teapot.png"
    photo.write_bytes(PNG)
    page = opened(browser, edge, pages["delivered"])
    page.get_by_role("link", name="Report a problem").press("Enter")
    page.get_by_role("radio", name="It arrived damaged").press("Space")
    page.get_by_label("How many of: Cast-iron teapot, black").fill("1")
    page.get_by_label("In your words").fill("The spout is off.")
    page.locator("#photos").set_input_files(photo)
    picture(page, "problem-filled-en")
    page.get_by_role("button", name="Send the report").press("Enter")
    page.get_by_role("heading", name="Thank you").wait_for()
    assert "1 photo or file is with it." in page.inner_text("main")
    picture(page, "thanks-en")
    page.goto(f"{page.url}?lang=zh")
    picture(page, "thanks-zh")
    assert "谢谢您" in page.inner_text("main")
    page.context.close()


def test_what_is_wrong_stands_above_the_form_and_leads_to_its_field(browser: Any, edge: str, pages: dict[str, str]):
    page = opened(browser, edge, pages["problem"], java_script_enabled=True)
    page.evaluate("document.querySelector('form').noValidate = true")
    page.get_by_label("How many of: Cast-iron teapot, black").fill("7")
    page.get_by_role("button", name="Send the report").click()
    page.get_by_role("link", name="Choose what happened.").wait_for()
    assert violations(page) == []
    picture(page, "problem-errors-en")
    page.context.close()


def test_an_order_is_found_and_its_receipt_confirmed(browser: Any, edge: str, pages: dict[str, str]):
    page = opened(browser, edge, pages["find"])
    page.get_by_label("Order number").fill("1003")
    page.get_by_label("Postal code").fill("10115")
    page.get_by_role("button", name="Show the order").click()
    page.get_by_role("checkbox", name="All parcels of this order have reached me.").check()
    page.get_by_role("button", name="Confirm receipt").click()
    page.get_by_text("You confirmed on").wait_for()
    assert page.url == edge + pages["delivered"]
    page.context.close()


def test_a_wide_screen_keeps_lines_short(browser: Any, edge: str, pages: dict[str, str]):
    page = opened(browser, edge, pages["on-its-way"], viewport={"width": 1280, "height": 900})
    assert page.locator("main").bounding_box()["width"] < 800
    picture(page, "on-its-way-wide")
    page.context.close()


def test_paper_shows_the_parcels_and_nothing_to_press(browser: Any, edge: str, pages: dict[str, str]):
    page = opened(browser, edge, pages["on-its-way"])
    page.emulate_media(media="print")
    assert page.get_by_text("Cast-iron teapot, black").is_visible()
    assert not page.get_by_role("link", name="Report a problem").is_visible()
    page.context.close()
