"""A typed client of the fulfilment ledger, for threads (``Client``) and for asyncio (``AsyncClient``).

It has the stubs of all services, so that every RPC is called as the contract names it, and adds what every caller
needs: a deadline, repetition, the tenant, and failures that say why.

>>> from fulfilment.client import Client, Refused
>>> from fulfilment.v1 import orders_pb2
>>> with Client("127.0.0.1:50051", tenant="default", actor="shop-sync") as ledger:
...     order = orders_pb2.PlaceOrderRequest(
...         context=ledger.context("shop/1001/placed"),
...         channel="shop",
...         channel_order_id="1001",
...         currency="EUR",
...         lines=[orders_pb2.OrderLine(sku="TEA", quantity=2, unit_price_minor=990)],
...     )
...     receipt = ledger.orders.PlaceOrder(order)
...     again = ledger.orders.PlaceOrder(order)  # by the same request id the ledger knows that it has it
...     fact = next(ledger.follow(after=receipt.position - 1))
...     try:
...         ledger.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/1002"))
...     except Refused as refused:
...         print(refused.reason, refused.metadata)
UNKNOWN_ORDER {'order_id': 'shop/1002'}
>>> again.position == receipt.position == fact.position
True

In asyncio the same calls are awaited, and ``async for`` follows the log.
"""

from __future__ import annotations

import asyncio
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self, TypeVar

import grpc

from fulfilment.calls import REPEATED, AsyncCalls, AsyncStreams, Calls, Manner
from fulfilment.failures import CallFailed, Refused, Unavailable
from fulfilment.tls import is_here, tls
from fulfilment.v1.admin_pb2_grpc import AdminServiceStub
from fulfilment.v1.audit_pb2 import StoredFact, StreamFactsRequest
from fulfilment.v1.audit_pb2_grpc import AuditServiceStub
from fulfilment.v1.batch_pb2_grpc import BatchServiceStub
from fulfilment.v1.cases_pb2_grpc import CaseServiceStub
from fulfilment.v1.common_pb2 import CommandContext
from fulfilment.v1.customer_invoices_pb2_grpc import CustomerInvoiceServiceStub
from fulfilment.v1.edges_pb2_grpc import EdgeServiceStub
from fulfilment.v1.exports_pb2_grpc import ExportServiceStub
from fulfilment.v1.finding_pb2_grpc import FindingServiceStub
from fulfilment.v1.inquiries_pb2_grpc import InquiryServiceStub
from fulfilment.v1.messages_pb2_grpc import MessageServiceStub
from fulfilment.v1.orders_pb2_grpc import OrderServiceStub
from fulfilment.v1.parcels_pb2_grpc import ParcelServiceStub
from fulfilment.v1.recoveries_pb2_grpc import RecoveryServiceStub
from fulfilment.v1.reports_pb2_grpc import ReportServiceStub
from fulfilment.v1.stock_pb2_grpc import StockServiceStub
from fulfilment.v1.stock_ups_pb2_grpc import StockUpServiceStub
from fulfilment.v1.supplier_invoices_pb2_grpc import SupplierInvoiceServiceStub
from fulfilment.v1.supplier_portal_pb2_grpc import SupplierPortalServiceStub
from fulfilment.v1.suppliers_pb2_grpc import SupplierServiceStub
from fulfilment.v1.templates_pb2_grpc import TemplateServiceStub
from fulfilment.v1.tracking_links_pb2_grpc import TrackingLinkServiceStub
from fulfilment.v1.work_pb2_grpc import WorkServiceStub

__all__ = ["AsyncClient", "CallFailed", "Client", "Refused", "Unavailable", "tls"]

T = TypeVar("T")

RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Before each attempt to follow the log again; the last one from then on."""
_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # Whoever follows a quiet log notices a dead connection; a server takes no more pings than one in 5 minutes.
    ("grpc.keepalive_time_ms", 330_000),
    # Of several servers each gets its share, so that what one cannot answer another one does; and one that comes back,
    # or is new, is found before the attempts of a call are over.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


@dataclass(eq=False)
class _Settings:
    address: str
    """HOST:PORT of the service; of several servers a name that has all their addresses, or "ipv4:IP:PORT,IP:PORT"."""
    _: KW_ONLY
    tenant: str = ""
    """Whose ledger; if it is left out, the only one that is granted to the client, else "default"."""
    actor: str = ""
    """Who asks, recorded with each fact behind the name of the token's client: a pseudonym, no personal data. Without a
    token it is "client" if it is left out."""
    token: str = field(default="", repr=False)
    """Of a registered client; sent with every call as "authorization: Bearer TOKEN"."""
    credentials: grpc.ChannelCredentials | None = None
    """Of TLS, such as tls("ca.pem"); without them the connection is not encrypted."""
    timeout_seconds: float = 10.0
    """For each attempt of a call that names no timeout of its own; one that a call names is for all its attempts
    together. A stream has none."""
    pauses_seconds: Sequence[float] = (0.2, 0.5, 1.0)
    """Between the attempts of a call, which are one more; () to ask only once. Where the service says after how long to
    ask again, as it does of a limit, that counts instead."""
    repeated: frozenset[grpc.StatusCode] = REPEATED
    """The codes on which a call is attempted again."""
    insecure: bool = False
    """Whether the token may go to another machine without TLS, where whoever is in between can take it."""
    interceptors: Sequence[Any] = ()
    """More interceptors of gRPC, between this client and the connection; they see each attempt."""

    def context(self, request_id: str = "") -> CommandContext:
        """Who asks for a command, and the id by which the ledger knows it again; made up if it is empty.

        Derive it from what the command is about ("shop/1001/placed"), so that a program that lost its memory repeats
        the command rather than giving it twice.
        """
        actor = self.actor or ("" if self.token else "client")
        return CommandContext(request_id=request_id or str(uuid.uuid4()), actor=actor)

    def _require_encryption(self) -> None:
        """Refuses to send a token in plain to another machine, unless that was said; then it warns."""
        if not self.token or self.credentials is not None or is_here(self.address):
            return
        told = f"the token would go to {self.address} without encryption, for everybody in between to take"
        if not self.insecure:
            raise ValueError(f"{told}; give credentials=tls(...), or insecure=True on a network that is yours alone")
        warnings.warn(told.replace("would go", "goes"), stacklevel=4)

    def _manner(self) -> Manner:
        said = {"tenant": self.tenant, "authorization": f"Bearer {self.token}" if self.token else ""}
        metadata = tuple((key, value) for key, value in said.items() if value)
        return Manner(metadata, self.timeout_seconds, self.pauses_seconds, self.repeated)


def _following(after: int, only: StreamFactsRequest | None) -> StreamFactsRequest:
    request = StreamFactsRequest()
    if only is not None:
        request.CopyFrom(only)
    request.after, request.follow = after, True
    return request


def _reconnects(failed: Unavailable) -> bool:
    """A server that stops cancels what it streams."""
    return failed.code() in {*REPEATED, grpc.StatusCode.CANCELLED}


@dataclass(eq=False)
class Client(_Settings):
    """The ledger for programs with threads; all of them may share one client."""

    def __post_init__(self) -> None:
        self._require_encryption()
        self._channel = (
            grpc.insecure_channel(self.address, _OPTIONS)
            if self.credentials is None
            else grpc.secure_channel(self.address, self.credentials, _OPTIONS)
        )
        self._interceptor = Calls(self._manner())
        channel = grpc.intercept_channel(self._channel, self._interceptor, *self.interceptors)
        self.orders = OrderServiceStub(channel)
        self.stock = StockServiceStub(channel)
        self.stock_ups = StockUpServiceStub(channel)
        self.tracking_links = TrackingLinkServiceStub(channel)
        self.suppliers = SupplierServiceStub(channel)
        self.supplier_portal = SupplierPortalServiceStub(channel)
        self.supplier_invoices = SupplierInvoiceServiceStub(channel)
        self.customer_invoices = CustomerInvoiceServiceStub(channel)
        self.parcels = ParcelServiceStub(channel)
        self.recoveries = RecoveryServiceStub(channel)
        self.inquiries = InquiryServiceStub(channel)
        self.cases = CaseServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.admin = AdminServiceStub(channel)
        self.batch = BatchServiceStub(channel)
        self.messages = MessageServiceStub(channel)
        self.templates = TemplateServiceStub(channel)
        self.work = WorkServiceStub(channel)
        self.reports = ReportServiceStub(channel)
        self.exports = ExportServiceStub(channel)
        self.finding = FindingServiceStub(channel)
        self.edges = EdgeServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._interceptor.closed = True
        self._channel.close()

    def follow(self, after: int = 0, only: StreamFactsRequest | None = None) -> Iterator[StoredFact]:
        """All facts after a position and then those that come, without end: each exactly once, in the log's order.

        ``only`` has filters, as StreamFactsRequest(names=["order.*"]). A lost connection is made again, and the log
        read on after the last fact. Raises Refused, such as of a position that the log has not reached, and ValueError
        once the client is closed.
        """
        request, lost = _following(after, only), 0
        while True:
            try:
                for page in self.audit.StreamFacts(request):
                    for fact in page.facts:
                        yield fact
                        request.after, lost = fact.position, 0
                    request.after = max(request.after, page.position)
            except Unavailable as failed:
                if not _reconnects(failed):
                    raise
            time.sleep(RECONNECT_SECONDS[min(lost, len(RECONNECT_SECONDS) - 1)])
            lost += 1

    def repeating(self, attempt: Callable[[], T]) -> T:
        """What an attempt returns, such as a whole stream in a list; it is made as often as a call is."""
        return self._manner().repeat(attempt)


@dataclass(eq=False)
class AsyncClient(_Settings):
    """The ledger for asyncio; made and used in one event loop."""

    def __post_init__(self) -> None:
        self._require_encryption()
        manner = self._manner()
        interceptors = [AsyncCalls(manner), AsyncStreams(manner), *self.interceptors]
        self._channel = channel = (
            grpc.aio.insecure_channel(self.address, _OPTIONS, interceptors=interceptors)
            if self.credentials is None
            else grpc.aio.secure_channel(self.address, self.credentials, _OPTIONS, interceptors=interceptors)
        )
        self.orders = OrderServiceStub(channel)
        self.stock = StockServiceStub(channel)
        self.stock_ups = StockUpServiceStub(channel)
        self.tracking_links = TrackingLinkServiceStub(channel)
        self.suppliers = SupplierServiceStub(channel)
        self.supplier_portal = SupplierPortalServiceStub(channel)
        self.supplier_invoices = SupplierInvoiceServiceStub(channel)
        self.customer_invoices = CustomerInvoiceServiceStub(channel)
        self.parcels = ParcelServiceStub(channel)
        self.recoveries = RecoveryServiceStub(channel)
        self.inquiries = InquiryServiceStub(channel)
        self.cases = CaseServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.admin = AdminServiceStub(channel)
        self.batch = BatchServiceStub(channel)
        self.messages = MessageServiceStub(channel)
        self.templates = TemplateServiceStub(channel)
        self.work = WorkServiceStub(channel)
        self.reports = ReportServiceStub(channel)
        self.exports = ExportServiceStub(channel)
        self.finding = FindingServiceStub(channel)
        self.edges = EdgeServiceStub(channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close()

    async def follow(self, after: int = 0, only: StreamFactsRequest | None = None) -> AsyncIterator[StoredFact]:
        """As ``Client.follow``."""
        request, lost = _following(after, only), 0
        while True:
            try:
                async for page in self.audit.StreamFacts(request):
                    for fact in page.facts:
                        yield fact
                        request.after, lost = fact.position, 0
                    request.after = max(request.after, page.position)
            except Unavailable as failed:
                if not _reconnects(failed):
                    raise
            await asyncio.sleep(RECONNECT_SECONDS[min(lost, len(RECONNECT_SECONDS) - 1)])
            lost += 1
