"""The tracking page over real sockets: what customers see, tell and find, and what nobody else does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from adapters import streams
from adapters.tracking_page import limits, reading, searching
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    cases_pb2,
    messages_pb2,
    orders_pb2,
    parcels_pb2,
    templates_pb2,
    tracking_links_pb2,
)
from tests.support.edge import edging
from tests.support.service import Client, Service, context
from tests.support.terminal import Console
from tests.support.tracked import BRAND, DHL, HOSTILE, YUN, TrackedShop
from tests.support.trading import PNG

JPEG, HEIC, PDF = b"\xff\xd8\xff\xe0 a photo with GPS", b"\0\0\0\x18ftypheic more", b"%PDF-1.7 more"
WEB = httpx2.Client()
"""Making one takes longer than most answers."""
PERSONAL = ("Ann Example", "Example", "Elm Street", "10115", "ann@example.org", "30 1234567")


@pytest.fixture(scope="module")
def edge(service: Service) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(searching, "FINDING_SECONDS", 0.0)
        with edging(service) as address:
            yield address


@pytest.fixture(scope="module")
def shop(client: Client) -> TrackedShop:
    shop = TrackedShop(client)
    shop.agree()
    return shop


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests come from one address."""
    monkeypatch.setattr(limits.Rates, "allows", lambda self, limit, key, now: True)


def get(edge: str, path: str, **headers: str) -> Any:
    return WEB.get(edge + path, headers={"accept-language": "en", **headers})


def text_of(response: Any) -> str:
    """What is read, without markup."""
    body = re.sub(r"<head>.*</head>", "", response.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def field(response: Any, name: str) -> str:
    return str(re.findall(rf'name="{name}" value="([^"]*)"', response.text)[0])


def report(edge: str, path: str, files: Any = (), **fields: str) -> Any:
    """Fills the form in and sends it."""
    form = {"form": field(get(edge, f"{path}/problem"), "form"), **fields}
    return send(edge, f"{path}/problem", form, files)


def send(edge: str, path: str, form: dict[str, str], files: Any = ()) -> Any:
    parts = [("photos", each) for each in files] or [("photos", ("", b""))]
    return WEB.post(edge + path, data=form, files=parts, headers={"accept-language": "en"})


def cases_of(client: Client, order_id: str) -> list[Any]:
    order = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id)).order
    request = [cases_pb2.GetCaseRequest(case_id=each, with_personal_data=True) for each in order.open_cases]
    return [client.cases.GetCase(each).case for each in request]


def link(client: Client, number: str) -> tracking_links_pb2.GetTrackingLinkResponse:
    request = tracking_links_pb2.GetTrackingLinkRequest(order_id=f"shop/{number}")
    return client.tracking_links.GetTrackingLink(request)


def withdraw(client: Client, number: str) -> Any:
    request = tracking_links_pb2.WithdrawTrackingLinkRequest(context=context(actor="mia"), order_id=f"shop/{number}")
    return client.tracking_links.WithdrawTrackingLink(request)


def renew(client: Client, number: str) -> Any:
    request = tracking_links_pb2.RenewTrackingLinkRequest(context=context(actor="mia"), order_id=f"shop/{number}")
    return client.tracking_links.RenewTrackingLink(request)


def mail(client: Client, number: str, language: str = "en") -> messages_pb2.Letter:
    request = templates_pb2.PreviewMessageRequest(
        kind=messages_pb2.MESSAGE_KIND_ORDER_CONFIRMED, order_id=f"shop/{number}", language=language
    )
    return client.templates.PreviewMessage(request).letter


def history(client: Client, order_id: str) -> list[str]:
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=order_id)).facts
    return [each.name for each in facts]


def actors(client: Client, case_id: str) -> set[str]:
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(case_id=case_id)).facts
    return {each.actor for each in facts}


# --- what is shown --------------------------------------------------------------------------------


def test_the_page_says_where_each_parcel_is_and_what_is_still_to_come(shop: TrackedShop, edge: str):
    path = shop.path(shop.on_its_way("two"))
    text = text_of(get(edge, path))
    assert "Part of your order is on its way." in text
    assert "Parcel 1 of 2 On its way" in text
    assert "1 × Sencha tea, 250 g" in text
    assert "Brought to you by USPS, number 92TWO" in text
    assert "Leipzig, Germany" in text
    assert "The carrier’s estimate" in text
    assert "Still to come These have not left yet. 1 × Bamboo whisk" in text
    assert "Times are those of Berlin." in text
    assert text.index("Leipzig, Germany") < text.index("Shenzhen, China")


def test_it_names_no_supplier_no_person_and_no_address(shop: TrackedShop, edge: str):
    page = get(edge, shop.path(shop.on_its_way("discreet")))
    for word in ("acme", "Acme", *PERSONAL):
        assert word not in page.text


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        (parcels_pb2.CUSTOMS_ASK_PAYMENT, "Duty and taxes are to be paid"),
        (parcels_pb2.CUSTOMS_ASK_DOCUMENTS, "Customs needs papers from us. We hand them in"),
        (parcels_pb2.CUSTOMS_ASK_PROHIBITED, "may not enter the country"),
        (parcels_pb2.CUSTOMS_ASK_UNSPECIFIED, "We are finding out what it is"),
    ],
)
def test_what_customs_wants_is_said_with_what_to_do(shop: TrackedShop, edge: str, asks: Any, says: str):
    text = text_of(get(edge, shop.path(shop.held(f"held-{asks}", asks))))
    assert "Held by customs" in text
    assert says in text


def test_chinese_is_spoken_to_whose_browser_asks_for_it_and_by_the_switch(shop: TrackedShop, edge: str):
    path = shop.path(shop.on_its_way("spoken"))
    preferred = get(edge, path, **{"accept-language": "de, zh-CN;q=0.8, en;q=0.5"})
    assert 'lang="zh"' in preferred.text
    assert "部分商品已发出" in preferred.text
    assert preferred.headers["vary"] == "Accept-Language"
    switched = get(edge, f"{path}?lang=zh")
    assert "莱比锡" not in switched.text
    assert "德国 Leipzig" in switched.text
    assert f"{path}/problem?lang=zh" in switched.text
    assert 'lang="en"' in get(edge, path, **{"accept-language": "fr"}).text


def test_the_order_s_language_counts_where_the_browser_says_none_that_there_is(shop: TrackedShop, edge: str):
    path = shop.path(shop.placed("native", language="zh"))
    assert '<html lang="zh">' in WEB.get(edge + path, headers={"accept-language": "fr"}).text


def test_hostile_words_are_words(shop: TrackedShop, edge: str):
    shop.agree(admin_pb2.Brand(channel="shop", name=HOSTILE, tracking_site=BRAND.tracking_site))
    try:
        order_id = shop.delivered("hostile", HOSTILE, quantity=2)
        path = shop.path(order_id)
        for page in (get(edge, path), get(edge, f"{path}/problem"), get(edge, "/track/default/shop")):
            assert "<script" not in page.text
            assert "alert(1)" in page.text
        answer = report(edge, path, [(f"{HOSTILE}.png", b"not a picture")], kind="damaged", note=HOSTILE)
        assert answer.status_code == 422
        assert "<script" not in answer.text
    finally:
        shop.agree()


def test_what_browsers_are_told_keeps_the_page_to_itself(shop: TrackedShop, edge: str):
    page = get(edge, shop.path(shop.placed("guarded")))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; form-action 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "private, no-cache"
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert not re.findall(r' (?:src|href)="(?:https?:)?//(?!www\.|tools\.|t\.17track)', page.text)


def test_a_logo_is_the_only_thing_from_elsewhere(shop: TrackedShop, edge: str):
    logo = "https://cdn.brook.example/logo.png"
    shop.agree(admin_pb2.Brand(channel="shop", name="Brook & Sons", logo_url=logo))
    try:
        page = get(edge, shop.path(shop.placed("logo")))
    finally:
        shop.agree()
    assert f'<img src="{logo}" alt="Brook &amp; Sons">' in page.text
    assert page.headers["content-security-policy"].endswith("img-src https://cdn.brook.example")


def test_it_is_small_and_its_style_sheet_is_kept_for_a_year(shop: TrackedShop, edge: str):
    page = get(edge, shop.path(shop.on_its_way("small")))
    address = re.findall(r'href="(/page/[^"]+\.css)"', page.text)[0]
    sheet = get(edge, address)
    assert sheet.headers["content-type"].startswith("text/css")
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert len(page.content) + len(sheet.content) < 30_000
    assert get(edge, address.replace("a1502d", "a1502e")).headers["cache-control"] == "no-cache"
    assert get(edge, "/page/nothing.css").status_code == 404
    assert "Disallow: /" in get(edge, "/robots.txt").text


def test_what_has_not_changed_is_not_sent_again(shop: TrackedShop, edge: str):
    order_id = shop.placed("tagged")
    path = shop.path(order_id)
    first = get(edge, path)
    again = get(edge, path, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(edge, f"{path}?lang=zh", **{"if-none-match": first.headers["etag"]}).status_code == 200
    shop.ship(order_id, "dhl", f"TAGGED{DHL}")
    assert get(edge, path, **{"if-none-match": first.headers["etag"]}).status_code == 200


def test_a_look_reads_the_order_s_own_streams_and_no_others(
    shop: TrackedShop, edge: str, monkeypatch: pytest.MonkeyPatch
):
    path, asked = shop.path(shop.on_its_way("frugal")), list[str]()
    read = streams.read

    async def noted(log: Any, streams: Any) -> Any:
        asked.extend(streams)
        return await read(log, streams)

    monkeypatch.setattr(reading, "read", noted)
    get(edge, path)
    parcels = [f"parcel-dhl/FRUGAL{DHL}", f"parcel-yunexpress/FRUGAL{YUN}"]
    assert asked == ["order-shop/frugal", "policy-retailer", *parcels]


# --- the link -------------------------------------------------------------------------------------


def test_a_withdrawn_link_says_so_and_a_newer_one_takes_its_place(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.placed("withdrawn")
    path = shop.path(order_id)
    withdraw(client, "withdrawn")
    gone = get(edge, path)
    assert gone.status_code == 410
    assert "This link is not valid any more" in gone.text
    assert "Brook &amp; Sons" in gone.text
    assert "withdrawn" not in text_of(gone).replace("It was withdrawn", "")
    assert WEB.post(f"{edge}{path}/received", data={"all": "yes"}).status_code == 410
    renew(client, "withdrawn")
    assert get(edge, path).status_code == 410
    assert get(edge, shop.path(order_id)).status_code == 200


def test_what_was_not_made_here_leads_nowhere_whatever_it_is(shop: TrackedShop, edge: str):
    path = shop.path(shop.placed("altered"))
    altered = path[:-1] + ("A" if path[-1] != "A" else "B")
    answers = [get(edge, each) for each in (altered, "/t/x", "/t/" + "A" * 64, f"{altered}/problem", "/track/nobody/x")]
    assert {each.status_code for each in answers} == {404}
    assert len({each.text for each in answers}) == 1


def test_who_was_erased_leaves_nothing_personal_and_nothing_to_fill_in(shop: TrackedShop, edge: str, client: Client):
    customer = orders_pb2.Customer(name="Eve Erased", email="eve@example.org")
    order_id = shop.delivered("erased", customer=customer)
    path = shop.path(order_id)
    before = get(edge, path).text
    assert "Leipzig" in before
    form = field(get(edge, f"{path}/problem"), "form")
    request = admin_pb2.ErasePersonRequest(email="eve@example.org", even_if_open=True)
    client.admin.ErasePerson(request)
    page = get(edge, path)
    assert page.status_code == 200
    assert "Leipzig" not in page.text
    assert "<form" not in page.text
    late = send(edge, f"{path}/problem", {"form": form, "kind": "damaged", "units-1": "1"})
    assert late.status_code == 422
    assert cases_of(client, order_id) == []


def test_an_order_has_a_link_that_is_withdrawn_and_renewed(shop: TrackedShop, client: Client):
    client.place("linked")
    first = link(client, "linked")
    assert first.url == BRAND.tracking_site + first.path
    assert (first.withdrawn, first.changed_by) == (False, "")
    receipt = withdraw(client, "linked")
    assert withdraw(client, "linked").position >= receipt.position
    gone = link(client, "linked")
    assert (gone.withdrawn, gone.url, gone.path, gone.changed_by) == (True, "", "", "mia")
    renew(client, "linked")
    second = link(client, "linked")
    assert second.url.startswith(BRAND.tracking_site)
    assert (second.withdrawn, second.url == first.url) == (False, False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_mails_to_the_customer_have_the_link_while_it_is_not_withdrawn(
    shop: TrackedShop, client: Client, language: str
):
    number = f"mailed-{language}"
    client.place(number)
    url = link(client, number).url
    written = mail(client, number, language)
    assert url in written.text
    assert f'href="{url}"' in written.html
    withdraw(client, number)
    assert BRAND.tracking_site not in mail(client, number, language).html


def test_at_the_console(shop: TrackedShop, client: Client, service: Service):
    client.place("typed")
    console = Console(service.address)
    assert console("order", "link", "shop/typed").out.strip() == link(client, "typed").url
    assert "withdrawn by" in console("order", "link", "shop/typed", "--withdraw").out
    renewed = console("order", "link", "shop/typed", "--renew").out.strip()
    assert renewed == link(client, "typed").url


@pytest.mark.parametrize(
    "site", ["http://track.brook.example", "https://track.brook.example/orders", "https://a b", "https://x.example'"]
)
def test_a_site_is_an_https_address_without_a_path(shop: TrackedShop, site: str):
    with pytest.raises(Exception, match="tracking_site"):
        shop.agree(admin_pb2.Brand(channel="shop", tracking_site=site))


# --- receipt --------------------------------------------------------------------------------------


def test_a_receipt_is_confirmed_once_the_box_is_ticked(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.delivered("received")
    path = shop.path(order_id)
    assert "Is everything there?" in get(edge, path).text
    refused = WEB.post(f"{edge}{path}/received", data={"x": "y"}, headers={"accept-language": "en"})
    assert refused.status_code == 422
    assert "Tick the box first" in refused.text
    answer = WEB.post(f"{edge}{path}/received?lang=zh", data={"all": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?lang=zh")
    assert "You confirmed on" in get(edge, path).text
    assert WEB.post(f"{edge}{path}/received", data={"all": "yes"}).status_code == 303
    assert "order.receipt_confirmed" in history(client, order_id)


def test_no_other_site_confirms_it(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.delivered("foreign")
    address = f"{edge}{shop.path(order_id)}/received"
    assert WEB.post(address, data={"all": "yes"}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert "order.receipt_confirmed" not in history(client, order_id)


# --- reports --------------------------------------------------------------------------------------


def test_a_report_opens_a_case_with_its_photos_sealed(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.delivered("damaged", "Teapot", "Cups", quantity=2)
    path = shop.path(order_id)
    files = [("a.jpg", JPEG), ("b", PNG), ("c.heic", HEIC), ("d.txt", PDF)]
    answer = report(edge, path, files, kind="damaged", note="The spout\r\nis off", **{"units-1": "1"})
    assert answer.status_code == 303
    (case,) = cases_of(client, order_id)
    assert answer.headers["location"] == f"{path}/report/{case.case_id}"
    assert (case.reason, case.note) == (cases_pb2.CASE_REASON_DAMAGED, "The spout\nis off")
    assert [(each.line_no, each.units) for each in case.lines] == [(1, 1)]
    assert [cases_pb2.EvidenceType.Name(each.type)[14:] for each in case.evidence] == ["JPEG", "PNG", "HEIC", "PDF"]
    assert actors(client, case.case_id) == {"edge/customer"}
    thanks = text_of(get(edge, answer.headers["location"]))
    assert f"Its number is {case.case_id}" in thanks
    assert "4 photos or files are with it." in thanks
    assert case.case_id in get(edge, path).text


def test_the_same_form_again_is_the_same_report(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.delivered("twice")
    path = shop.path(order_id)
    form = {"form": field(get(edge, f"{path}/problem"), "form"), "kind": "quality", "units-1": "1"}
    first, second = (send(edge, f"{path}/problem", form, [("a.png", PNG)]) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    (case,) = cases_of(client, order_id)
    assert len(case.evidence) == 1


def test_what_is_missing_or_wrong_is_said_at_its_field_and_nothing_is_recorded(
    shop: TrackedShop, edge: str, client: Client
):
    order_id = shop.delivered("wrong", "Teapot", "Cups", quantity=2)
    path = shop.path(order_id)
    empty = report(edge, path)
    assert empty.status_code == 422
    assert '<a href="#kind">Choose what happened.</a>' in empty.text
    assert '<a href="#lines">Choose what it is about.</a>' in empty.text
    faults = [
        ({"units-1": "3"}, "Say how many it is about: Teapot, 1 to 2."),
        ({"units-1": "-1"}, "Say how many it is about"),
        ({"units-1": "1", "note": "x" * 2001}, "longer than 2,000 characters"),
    ]
    for fields, says in faults:
        answer = report(edge, path, kind="damaged", **fields)
        assert (answer.status_code, says in text_of(answer)) == (422, True)
        assert 'value="damaged" required checked' in answer.text
    files = [
        ([("virus.exe", b"MZ")], "virus.exe is not a JPEG"),
        ([("clip.mp4", b"\0\0\0\x18ftypisom")], "clip.mp4 is not a JPEG"),
        ([("a.png", PNG)] * 6, "more than 5 files"),
        ([("big.png", PNG + b"\0" * (8 << 20))], "big.png is larger than 8 MB"),
    ]
    for given, says in files:
        answer = report(edge, path, given, kind="damaged", **{"units-1": "1"})
        assert (answer.status_code, says in text_of(answer)) == (422, True)
    too_large = report(edge, path, [("a.png", b"\0" * (21 << 20))], kind="damaged", **{"units-1": "1"})
    assert too_large.status_code == 413
    forged = send(edge, f"{path}/problem", {"form": "forged", "kind": "damaged", "units-1": "1"})
    assert (forged.status_code, "open for too long" in forged.text) == (409, True)
    assert cases_of(client, order_id) == []


def test_only_what_can_be_reported_now_is_offered(shop: TrackedShop, edge: str):
    on_its_way = shop.path(shop.on_its_way("offered"))
    kinds = re.findall(r'name="kind" value="(\w+)"', get(edge, f"{on_its_way}/problem").text)
    assert kinds == ["lost", "refused"]
    nothing = shop.path(shop.placed("unsent"))
    assert "Report a problem" not in get(edge, nothing).text
    assert "nothing in this order that could be reported" in get(edge, f"{nothing}/problem").text
    order_id = shop.delivered("reported")
    path = shop.path(order_id)
    assert report(edge, path, kind="damaged", **{"units-1": "1"}).status_code == 303
    assert report_is_closed(edge, path)


def report_is_closed(edge: str, path: str) -> bool:
    return "nothing in this order" in get(edge, f"{path}/problem").text


def test_photos_are_added_to_a_report_that_asks_for_them(shop: TrackedShop, edge: str, client: Client):
    order_id = shop.delivered("asked")
    path = shop.path(order_id)
    page = report(edge, path, kind="damaged", **{"units-1": "1"}).headers["location"]
    (case,) = cases_of(client, order_id)
    client.cases.RequestEvidence(
        cases_pb2.RequestEvidenceRequest(context=context(), case_id=case.case_id, wanted=["photo_of_damage"])
    )
    assert "photo of damage" in text_of(get(edge, path))
    form = {"form": field(get(edge, page), "form")}
    assert send(edge, page, form).status_code == 422
    assert send(edge, page, form, [("a.jpg", JPEG)]).headers["location"] == page
    assert len(cases_of(client, order_id)[0].evidence) == 1
    assert get(edge, f"{path}/report/C-NOTHING").status_code == 404


# --- by number and postal code ----------------------------------------------------------------------


def find(edge: str, order: str, code: str, channel: str = "shop", **headers: str) -> Any:
    given = {"accept-language": "en", **headers}
    return WEB.post(f"{edge}/track/default/{channel}", data={"order": order, "code": code}, headers=given)


def test_an_order_is_found_by_its_number_and_its_postal_code(shop: TrackedShop, edge: str):
    path = shop.path(shop.placed("found"))
    assert "Find your order" in get(edge, "/track/default/shop").text
    for code in ("10115", " 10 115 "):
        answer = find(edge, "found", code)
        assert (answer.status_code, answer.headers["location"]) == (303, path)


def test_wrong_numbers_and_wrong_codes_are_answered_alike(
    shop: TrackedShop, edge: str, client: Client, monkeypatch: pytest.MonkeyPatch
):
    shop.placed("guessed")
    shop.placed("nowhere", ship_to=orders_pb2.Address(lines=["1 Main St"], city="Hong Kong", country="HK"))
    erased = orders_pb2.Customer(name="Ed Erased", email="ed@example.org")
    shop.placed("gone", customer=erased)
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="ed@example.org", even_if_open=True))
    guesses = [("guessed", "10116"), ("unknown", "10115"), ("nowhere", "0"), ("gone", "10115"), ("a b\0c", "1")]
    waited: list[float] = []

    async def until(time: float) -> None:
        waited.append(time)

    monkeypatch.setattr(searching, "_until", until)
    found = [find(edge, *guess) for guess in guesses]
    assert {each.status_code for each in found} == {422}
    assert len({each.text for each in found}) == 1
    assert find(edge, "guessed", "10115").status_code == 303
    assert len(waited) == len(guesses) + 1, "all are answered after the same time"
    assert "guessed" not in found[0].text
    assert find(edge, "", "10115").status_code == 422


def test_searches_and_bad_links_are_counted(shop: TrackedShop, edge: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(searching, "FINDING_SECONDS", 0.0)
    shop.placed("counted")
    statuses = [find(edge, "counted", f"{n:05}").status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]
    limited = find(edge, "counted", "10115")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "300")
    assert "tried too often" in limited.text
    links = [get(edge, f"/t/{n}").status_code for n in range(31)]
    assert links == [404] * 30 + [429]
