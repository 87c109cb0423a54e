"""A small world beside a service: whatever goes wrong on the way, in the end everybody knows everything once."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.shops.shopify.system import Shopify
from adapters.shops.woocommerce.system import WooCommerce
from ledger.nouns import effects
from tests.support.edge import edging
from tests.support.hosting import hosting
from tests.support.mail_server import a_mail_server
from tests.support.service import Client
from tests.support.world import a_world
from tests.support.world_checks import settled


@pytest.fixture
def quick(monkeypatch):
    """Pauses and limits of real shops would take long."""
    monkeypatch.setattr(WooCommerce, "calls_per_second", 500.0)
    monkeypatch.setattr(Shopify, "calls_per_second", 500.0)
    monkeypatch.setattr(effects, "_PAUSES", (timedelta(seconds=0.3),))
    monkeypatch.setattr(effects, "STOCK_PAUSE", timedelta(seconds=0.3))


def test_in_a_world_of_duplicates_disorder_losses_and_outages_everybody_knows_everything_once(embedded, quick):
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder,
        a_mail_server() as mailbox,
        hosting(
            embedded,
            Path(folder, "data"),
            "--web-private",
            *("--outbox", "smtp", "--smtp", f"127.0.0.1:{mailbox.port}", "--smtp-security", "none"),
            *("--mail-from", "orders@brook.example"),
        ) as service,
        edging(service) as edge,
        Client(service.address) as client,
        a_world(client, edge, mailbox, seed=4) as world,
    ):
        world.play(each_shop=4)
        checks = settled(world, 30)
    assert {each.sentence: each.found for each in checks} == {each.sentence: each.wanted for each in checks}
