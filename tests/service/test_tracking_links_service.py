"""Links of tracking pages over a real socket: shown, in mails, withdrawn and renewed."""

from __future__ import annotations

from typing import Any

import pytest

from fulfilment.v1 import admin_pb2, messages_pb2, templates_pb2, tracking_links_pb2
from tests.support.service import Client, Service, context
from tests.support.terminal import Console

SITE = "https://track.brook.example"


@pytest.fixture(scope="module", autouse=True)
def brand(client: Client) -> None:
    _agree(client, tracking_site=f"{SITE}/")


def _agree(client: Client, **brand: Any) -> None:
    policy = client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy
    del policy.brands[:]
    policy.brands.add(channel="shop", name="Brook & Sons", **brand)
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))


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


def test_an_order_has_a_link_that_is_withdrawn_and_renewed(client: Client):
    client.place("linked")
    first = link(client, "linked")
    assert first.url == SITE + first.path
    assert (first.withdrawn, first.changed_by) == (False, "")
    receipt = withdraw(client, "linked")
    assert withdraw(client, "linked").position >= receipt.position
    gone = link(client, "linked")
    assert (gone.withdrawn, gone.url, gone.path, gone.changed_by) == (True, "", "", "mia")
    renew(client, "linked")
    second = link(client, "linked")
    assert (second.withdrawn, second.url.startswith(SITE), second.url == first.url) == (False, True, False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_mails_to_the_customer_have_the_link_while_it_is_not_withdrawn(client: Client, language: str):
    number = f"mailed-{language}"
    client.place(number)
    url = link(client, number).url
    written = mail(client, number, language)
    assert url in written.text
    assert f'href="{url}"' in written.html
    withdraw(client, number)
    assert SITE not in mail(client, number, language).html


def test_at_the_console(client: Client, service: Service):
    client.place("typed")
    console = Console(service.address)
    assert console("order", "link", "shop/typed").out.strip() == link(client, "typed").url
    assert "withdrawn by" in console("order", "link", "shop/typed", "--withdraw").out
    renewed = console("order", "link", "shop/typed", "--renew").out.strip()
    assert renewed == link(client, "typed").url


@pytest.mark.parametrize(
    "site", ["http://track.brook.example", "https://track.brook.example/orders", "https://a b", "https://x.example'"]
)
def test_a_site_is_an_https_address_without_a_path(client: Client, site: str):
    with pytest.raises(Exception, match="tracking_site"):
        _agree(client, tracking_site=site)
