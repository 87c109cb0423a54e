"""The table of carriers: what each tracker calls them, and where a customer can follow a parcel.

Names are ours (ledger.terms.carriers); formats of numbers stand in ledger.terms.tracking_numbers. Keys of 17TRACK and
codes of kuaidi100 stand here where they are known for certain: without one, 17TRACK finds the carrier by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import msgspec

from ledger.terms.carriers import carrier_name


class Carrier(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier. An empty key means that the tracker does not know it, or that nobody has checked its name for it."""

    name: str
    title: str
    """As people write it."""
    chinese: str = ""
    aftership: str = ""
    seventeentrack: int = 0
    kuaidi100: str = ""
    easypost: str = ""
    shippo: str = ""
    page: str = ""
    """Where its parcels are followed, with {} for the number."""

    @property
    def slug(self) -> str:
        """AfterShip's word: our names are AfterShip's unless it has another one."""
        return self.aftership or self.name


_TABLE = (
    Carrier(
        name="sf-express",
        title="SF Express",
        chinese="顺丰速运",
        kuaidi100="shunfeng",
        page="https://www.sf-international.com/us/en/dynamic_function/waybill/#search/bill-number/{}",
    ),
    Carrier(
        name="dhl",
        title="DHL Express",
        seventeentrack=100001,
        kuaidi100="dhl",
        easypost="DHLExpress",
        shippo="dhl_express",
        page="https://www.dhl.com/en/express/tracking.html?AWB={}",
    ),
    Carrier(
        name="dhl-germany",
        title="DHL Paket",
        seventeentrack=7041,
        easypost="DHLPaket",
        shippo="dhl_germany",
        page="https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode={}",
    ),
    Carrier(
        name="dhl-global-mail",
        title="DHL eCommerce",
        easypost="DHLEC",
        shippo="dhl_ecommerce",
    ),
    Carrier(
        name="fedex",
        title="FedEx",
        seventeentrack=100003,
        kuaidi100="fedex",
        easypost="FedEx",
        shippo="fedex",
        page="https://www.fedex.com/fedextrack/?trknbr={}",
    ),
    Carrier(
        name="ups",
        title="UPS",
        seventeentrack=100002,
        kuaidi100="ups",
        easypost="UPS",
        shippo="ups",
        page="https://www.ups.com/track?tracknum={}",
    ),
    Carrier(
        name="usps",
        title="USPS",
        seventeentrack=21051,
        kuaidi100="usps",
        easypost="USPS",
        shippo="usps",
        page="https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
    ),
    Carrier(
        name="china-post",
        title="China Post",
        chinese="中国邮政",
        seventeentrack=3011,
        kuaidi100="youzhengguonei",
    ),
    Carrier(
        name="china-ems",
        title="EMS (China)",
        chinese="中国邮政速递物流",
        seventeentrack=3013,
        kuaidi100="ems",
    ),
    Carrier(
        name="yanwen",
        title="Yanwen",
        chinese="燕文物流",
        seventeentrack=190012,
        easypost="Yanwen",
        page="https://track.yw56.com.cn/en/querydel?nums={}",
    ),
    Carrier(
        name="yunexpress",
        title="YunExpress",
        chinese="云途物流",
        seventeentrack=190008,
        easypost="YunExpress",
        page="https://www.yuntrack.com/parcelTracking?id={}",
    ),
    Carrier(name="zto-express", title="ZTO", chinese="中通快递", kuaidi100="zhongtong"),
    Carrier(name="yto", title="YTO", chinese="圆通速递", kuaidi100="yuantong"),
    Carrier(name="sto", title="STO", chinese="申通快递", kuaidi100="shentong"),
    Carrier(name="yundaex", title="Yunda", chinese="韵达快递", kuaidi100="yunda"),
    Carrier(
        name="cainiao", title="Cainiao", chinese="菜鸟", page="https://global.cainiao.com/detail.htm?mailNoList={}"
    ),
    Carrier(name="jd-express", title="JD Logistics", chinese="京东物流", kuaidi100="jd"),
    Carrier(
        name="4px",
        title="4PX",
        chinese="递四方",
        seventeentrack=190094,
        kuaidi100="disifang",
        page="https://track.4px.com/#/result/0/{}",
    ),
    Carrier(
        name="canada-post",
        title="Canada Post",
        easypost="CanadaPost",
        shippo="canada_post",
        page="https://www.canadapost-postescanada.ca/track-reperage/en#/details/{}",
    ),
    Carrier(
        name="royal-mail",
        title="Royal Mail",
        easypost="RoyalMail",
        shippo="royal_mail",
        page="https://www.royalmail.com/track-your-item#/tracking-results/{}",
    ),
    Carrier(
        name="australia-post",
        title="Australia Post",
        easypost="AustraliaPost",
        shippo="australia_post",
        page="https://auspost.com.au/mypost/track/#/details/{}",
    ),
    Carrier(name="deutsch-post", title="Deutsche Post", shippo="deutsche_post", easypost="DeutschePost"),
    Carrier(
        name="la-poste-colissimo",
        title="Colissimo",
        shippo="colissimo",
        easypost="Colissimo",
        page="https://www.laposte.fr/outils/suivre-vos-envois?code={}",
    ),
    Carrier(
        name="dpd",
        title="DPD",
        easypost="DPD",
        seventeentrack=100007,
        page="https://www.dpdgroup.com/nl/mydpd/my-parcels/track?lang=en&parcelNumber={}",
    ),
    Carrier(name="gls", title="GLS", easypost="GLS", seventeentrack=100005),
    Carrier(name="amazon", title="Amazon Logistics", aftership="amazon-logistics-uk", easypost="AmazonMws"),
    Carrier(name="landmark-global", title="Landmark Global", page="https://track.landmarkglobal.com/?search={}"),
    Carrier(
        name="ontrac",
        title="OnTrac",
        easypost="OnTrac",
        shippo="ontrac",
        page="https://www.ontrac.com/tracking/?number={}",
    ),
    Carrier(name="postnl", title="PostNL", easypost="PostNL"),
    Carrier(name="brazil-correios", title="Correios", seventeentrack=2151),
    Carrier(name="asendia", title="Asendia", aftership="asendia-usa", easypost="AsendiaUsa", shippo="asendia_us"),
)

_BY_NAME = {each.name: each for each in _TABLE}


def known(name: str) -> Carrier | None:
    """By our name."""
    return _BY_NAME.get(name)


def all_carriers() -> tuple[Carrier, ...]:
    return _TABLE


def _index(key: Callable[[Carrier], str | int]) -> dict[str, str]:
    return {str(key(each)).lower(): each.name for each in _TABLE if key(each)}


_BY_AFTERSHIP = _index(lambda each: each.slug)
_BY_SEVENTEENTRACK = _index(lambda each: each.seventeentrack)
_BY_KUAIDI100 = _index(lambda each: each.kuaidi100)
_BY_EASYPOST = _index(lambda each: each.easypost)
_BY_SHIPPO = _index(lambda each: each.shippo)


def of_aftership(slug: str) -> str:
    return _BY_AFTERSHIP.get(slug.lower()) or slug


def of_seventeentrack(key: int, name: str) -> str:
    """By the key; for one that is not in the table by the name that 17TRACK tells beside it."""
    return _BY_SEVENTEENTRACK.get(str(key)) or name


def of_kuaidi100(code: str) -> str:
    return _BY_KUAIDI100.get(code.lower()) or code


def of_easypost(name: str) -> str:
    return _BY_EASYPOST.get(name.lower()) or name


def of_shippo(token: str) -> str:
    return _BY_SHIPPO.get(token.lower()) or token


_ANY_CARRIER = "https://t.17track.net/en#nums={}"


def tracking_page(carrier: str, number: str) -> str:
    """Where a customer can follow a parcel: at the carrier's page, or at one that knows all carriers."""
    found = known(carrier_name(carrier))
    return (found.page if found and found.page else _ANY_CARRIER).format(quote(number, safe="")) if number else ""
