"""How often the tracking page is asked, by whom and about what, counted in this process."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from starlette.requests import Request


class VisitLimit(NamedTuple):
    """So often within so many seconds."""

    name: str
    most: int
    seconds: float


PAGES = VisitLimit("pages of an address", 240, 60)
BAD_LINKS = VisitLimit("bad links of an address", 30, 60)
FINDING_FROM = VisitLimit("searches of an address", 10, 600)
FINDING_WHAT = VisitLimit("searches of an order", 10, 3600)
TELLING_FROM = VisitLimit("reports of an address", 30, 3600)
TELLING_ABOUT = VisitLimit("reports of an order", 20, 3600)
_MOST_KEPT = 50_000


class Rates:
    """Counts in windows of time, each from the first of its events on; what was not seen for longest is forgotten."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def allows(self, limit: VisitLimit, key: str, now: float) -> bool:
        """Counts it, and says whether it is within the limit; ``now`` is of a clock that never goes back."""
        since, count = self._windows.pop((limit.name, key), (now, 0))
        if now - since >= limit.seconds:
            since, count = now, 0
        self._windows[limit.name, key] = (since, count + 1)
        if len(self._windows) > _MOST_KEPT:
            self._windows.popitem(last=False)
        return count < limit.most


def visitor_of(request: Request, *, behind_proxy: bool) -> str:
    """The network that a request comes from: of IPv6 what one household has."""
    host = request.client.host if request.client is not None else ""
    if behind_proxy:
        # The last one was added by the proxy itself; those before it are what the visitor says.
        host = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip() or host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
