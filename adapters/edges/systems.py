"""Every system that can be connected; this is where an adapter is added."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.edges.system import System
from adapters.shops.amazon.system import Amazon
from adapters.shops.amazon.vendor import AmazonVendor
from adapters.shops.order_files import OrderFiles
from adapters.shops.shopify.system import Shopify
from adapters.shops.site.system import OwnSite
from adapters.shops.site.webhook import Webhook
from adapters.shops.woocommerce.system import WooCommerce
from adapters.texting.gateway import AnyGateway
from adapters.texting.twilio import Twilio
from adapters.tracking.aftership import AfterShip
from adapters.tracking.carrier import AnyCarrier
from adapters.tracking.dhl import Dhl
from adapters.tracking.easypost import EasyPost
from adapters.tracking.kuaidi100 import Kuaidi100
from adapters.tracking.seventeentrack import SeventeenTrack
from adapters.tracking.shippo import Shippo

_ALL: tuple[System, ...] = (
    Shopify(),
    WooCommerce(),
    Amazon(),
    AmazonVendor(),
    OwnSite(),
    Webhook(),
    OrderFiles(),
    *(AfterShip(), SeventeenTrack(), Kuaidi100(), EasyPost(), Shippo(), Dhl(), AnyCarrier()),
    *(Twilio(), AnyGateway()),
)

SYSTEMS: Mapping[str, System] = {each.name: each for each in _ALL}
"""By name."""
