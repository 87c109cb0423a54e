"""One connection to the service: a tenant, a time limit, bounded repetition, and what can go wrong."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from adapters.console.sentences import translated
from fulfilment.v1 import (
    admin_pb2_grpc,
    audit_pb2_grpc,
    batch_pb2_grpc,
    cases_pb2_grpc,
    common_pb2,
    inquiries_pb2_grpc,
    messages_pb2_grpc,
    orders_pb2_grpc,
    parcels_pb2_grpc,
    recoveries_pb2_grpc,
    reports_pb2_grpc,
    stock_pb2_grpc,
    suppliers_pb2_grpc,
    work_pb2_grpc,
)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
T = TypeVar("T")

_PAUSES_SECONDS = (0.2, 0.5, 1.0)
"""Between attempts; a command keeps its request id, so that repeating it is harmless."""
_LONGEST_MESSAGE_BYTES = 64 * 1024 * 1024


class Trouble(Exception):
    """Why a command ends early: a sentence for people, an exit code and a reason for programs."""

    exit_code = 1

    def __init__(self, message: str, reason: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message, self.reason, self.details = message, reason, details


class Refused(Trouble):
    """The service understood and said no."""

    def seen_from(self, field: str) -> Refused:
        """The same for one who wrote that field's parts and never saw the message around it."""
        outer = re.compile(rf"\b{field}\.(?=\w)")
        self.message = outer.sub("", self.message)
        if "fields" in self.details:
            self.details["fields"] = [outer.sub("", each) for each in self.details["fields"]]
        if "field" in self.details:
            self.details["field"] = outer.sub("", self.details["field"])
        return self


class Unreachable(Trouble):
    """Nobody answered, or not in time, or the service could not."""

    exit_code = 3


class Client:
    """Stubs of all services, and calls that end in an answer or in Trouble."""

    def __init__(
        self, server: str, tenant: str, timeout_seconds: float, actor: str, warn: Callable[[str], None]
    ) -> None:
        self.server, self.tenant, self.actor = server, tenant, actor
        self.timeout_seconds = timeout_seconds
        self._warn = warn
        self._channel = channel = grpc.insecure_channel(
            server, options=[("grpc.max_receive_message_length", _LONGEST_MESSAGE_BYTES)]
        )
        self.orders = orders_pb2_grpc.OrderServiceStub(channel)
        self.stock = stock_pb2_grpc.StockServiceStub(channel)
        self.suppliers = suppliers_pb2_grpc.SupplierServiceStub(channel)
        self.parcels = parcels_pb2_grpc.ParcelServiceStub(channel)
        self.recoveries = recoveries_pb2_grpc.RecoveryServiceStub(channel)
        self.inquiries = inquiries_pb2_grpc.InquiryServiceStub(channel)
        self.audit = audit_pb2_grpc.AuditServiceStub(channel)
        self.cases = cases_pb2_grpc.CaseServiceStub(channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(channel)
        self.batch = batch_pb2_grpc.BatchServiceStub(channel)
        self.messages = messages_pb2_grpc.MessageServiceStub(channel)
        self.work = work_pb2_grpc.WorkServiceStub(channel)
        self.reports = reports_pb2_grpc.ReportServiceStub(channel)

    def close(self) -> None:
        self._channel.close()

    def context(self, request_id: str | None = None, part: str = "") -> common_pb2.CommandContext:
        """Who asks; part tells the requests of one console command apart."""
        return common_pb2.CommandContext(request_id=(request_id or str(uuid.uuid4())) + part, actor=self.actor)

    def call(self, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, timeout_seconds: float | None = None) -> A:
        """The answer; what is odd about it is told beside it."""
        answer = self._patiently(rpc, request, timeout_seconds)
        for warning in answer.warnings if isinstance(answer, common_pb2.Receipt) else ():
            self._warn(warning)
        return answer

    def pieces(self, rpc: grpc.UnaryStreamMultiCallable[Q, A], request: Q) -> list[A]:
        """All messages of a stream that ends."""
        return self._patiently(lambda asked, **how: list(rpc(asked, **how)), request, None)

    def _patiently(self, rpc: Callable[..., T], request: Any, timeout_seconds: float | None) -> T:
        """What may succeed later is tried again, with the same request id, a few times."""
        timeout = timeout_seconds or self.timeout_seconds
        for pause in (*_PAUSES_SECONDS, None):
            try:
                return rpc(request, timeout=timeout, metadata=(("tenant", self.tenant),))
            except grpc.RpcError as error:
                trouble = self._trouble(error, request, timeout)
                if pause is None or not _may_pass(error):
                    raise trouble from None
            time.sleep(pause)
        raise AssertionError("the last attempt answers or raises")

    def pages(self, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> Iterator[A]:
        """All pages of a list."""
        paged: Any = request
        paged.page.page_size = 1000
        while True:
            answer: Any = self.call(rpc, request)
            yield answer
            paged.page.page_token = answer.next_page_token
            if not answer.next_page_token:
                return

    def _trouble(self, error: Any, request: Any, timeout: float) -> Trouble:
        code, said = error.code(), error.details() or ""
        info, fields = _details(error)
        repeat = ""
        if "context" in request.DESCRIPTOR.fields_by_name:
            repeat = f"; repeat it with --request-id {request.context.request_id}, so that it happens once"
        if info is None and code is grpc.StatusCode.UNAVAILABLE:
            return Unreachable(
                f"the service at {self.server} does not answer; start it with `make run`, or name it with --server",
                "UNREACHABLE",
            )
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(f"no answer from {self.server} within {timeout:g} s{repeat}", "TIMEOUT")
        reason = info.reason if info is not None else code.name
        details = {**(dict(info.metadata) if info is not None else {}), **({"fields": fields} if fields else {})}
        kind = Unreachable if code in _NOT_ABLE else Refused
        malformed = request if code is grpc.StatusCode.INVALID_ARGUMENT else None
        return kind(translated(said, malformed) or f"the service answered {code.name}", reason, **details)


_NOT_ABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.CANCELLED,
}


def _may_pass(error: Any) -> bool:
    info, _ = _details(error)
    full = info is not None and info.reason == "QUEUE_FULL"
    return full or error.code() is grpc.StatusCode.UNAVAILABLE


def _details(error: Any) -> tuple[error_details_pb2.ErrorInfo | None, list[str]]:
    """Our reason with its figures, and the paths of the fields that are wrong."""
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    found, fields = None, []
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            found = info
        elif detail.Unpack(bad):
            fields = [violation.field for violation in bad.field_violations]
    return found, fields
