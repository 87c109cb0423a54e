"""Carriers by one name each, however shops, suppliers and trackers spell them.

The names are AfterShip's, which most of the trade's tools share, where it has the carrier.
"""

from __future__ import annotations

import re

_ALIASES = {
    "4px": "4px-express 递四方",
    "amazon": "amazon-logistics amazon-shipping amzl",
    "australia-post": "aus-post",
    "brazil-correios": "correios correios-brazil",
    "cainiao": "cainiao-global cainiao-network 菜鸟 菜鸟网络 菜鸟裹裹",
    "canada-post": "postes-canada",
    "china-ems": "ems-china china-post-ems 中国ems",
    "china-post": "china-post-registered china-post-small-packet china-post-air-mail chinapost-cb 中国邮政 邮政小包",
    "deutsch-post": "deutsche-post deutsche-post-mail",
    "dhl": "dhl-express dhl-express-worldwide dhl-worldwide",
    "dpd": "dpd-group dynamic-parcel-distribution",
    "fedex": "federal-express fedex-express fedex-ground fedex-international",
    "gls": "gls-group general-logistics-systems",
    "jd-express": "jd jd-logistics jingdong 京东 京东快递 京东物流",
    "landmark-global": "landmark landmark-global-ltn",
    "la-poste-colissimo": "colissimo-la-poste",
    "ontrac": "on-trac-logistics",
    "postnl": "tnt-post-nl",
    "royal-mail": "royal-mail-group",
    "sf-express": "sf shunfeng shunfeng-express sf-international 顺丰 顺丰速运",
    "sto": "sto-express shentong 申通 申通快递",
    "ups": "united-parcel-service ups-express ups-ground ups-worldwide",
    "usps": "us-postal-service united-states-postal-service us-mail",
    "yanwen": "yanwen-logistics yanwen-express yw 燕文 燕文物流",
    "yto": "yto-express yuantong 圆通 圆通速递",
    "yundaex": "yunda yunda-express 韵达 韵达快递",
    "yunexpress": "yun-express-logistics yuntu yuntrack 云途 云途物流",
    "zto-express": "zto zhongtong 中通 中通快递",
}
"""For each name, other names of the same carrier. Arms of a company that keep numbers of their own, such as
dhl-germany or fedex-freight, are carriers of their own."""

_BETWEEN_WORDS = re.compile(r"[\s_.-]+")


def _key(spelling: str) -> str:
    """Spellings that differ in case and in what stands between words are the same: ``FED_EX``, ``FedEx``."""
    return _BETWEEN_WORDS.sub("", spelling.lower())


_NAMES = {_key(spelling): name for name, others in _ALIASES.items() for spelling in (name, *others.split())}


def carrier_name(spelling: str) -> str:
    """The one name of a carrier; one that is not known keeps its own, in lower case with dashes."""
    return _NAMES.get(_key(spelling)) or _BETWEEN_WORDS.sub("-", spelling.strip().lower())
