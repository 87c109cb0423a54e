"""What can come of a call instead of an answer: the service refused it, or it was not answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet


class CallFailed(grpc.RpcError):
    """A call that ended without an answer; also a ``grpc.RpcError`` with its code, details and trailers."""

    reason: str
    """Stable, for programs, such as "OUT_OF_STOCK"; the code's name if it does not come from the service."""
    message: str
    """A sentence for people."""
    metadata: dict[str, str]
    """The figures of the reason, such as ``{"sku_1": "TEA", "asked_1": "2", "available_1": "0"}``."""
    fields: list[tuple[str, str]]
    """What is wrong with a malformed request: the path of each field, such as "lines[0].sku", and what it lacks."""
    from_service: bool
    """Whether the service answered with a reason of its own, or gRPC failed."""
    retry_seconds: float | None
    """After how long the service wants to be asked again; None if it does not say."""

    def __init__(self, error: grpc.RpcError) -> None:
        call: Any = error  # which every RpcError of a channel is as well
        self._code: grpc.StatusCode = call.code()
        self._trailers = tuple(call.trailing_metadata() or ())
        self.message = call.details() or ""
        self.reason, self.metadata, self.fields, self.from_service = self._code.name, {}, [], False
        self.retry_seconds = None
        for name, value in self._trailers:
            if name == "grpc-status-details-bin":
                self._read(value)
        super().__init__(f"{self.reason}: {self.message}")

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self.message

    def trailing_metadata(self) -> Any:
        return self._trailers

    def _read(self, status: bytes) -> None:
        """Takes what it needs of a google.rpc.Status, whose ErrorInfo and its like are no part of protobuf."""
        for detail in _all(status, 3):
            kind, value = _text(detail, 1), _one(detail, 2)
            if kind.endswith("/google.rpc.ErrorInfo"):
                self.reason, self.from_service = _text(value, 1), True
                self.metadata = {_text(entry, 1): _text(entry, 2) for entry in _all(value, 3)}
            elif kind.endswith("/google.rpc.RetryInfo"):
                self.retry_seconds = Duration.FromString(_one(value, 1)).ToTimedelta().total_seconds()
            elif kind.endswith("/google.rpc.BadRequest"):
                self.fields = [(_text(violation, 1), _text(violation, 2)) for violation in _all(value, 1)]


class Refused(CallFailed):
    """The service refused the request. The same request id is always refused again."""


class Unavailable(CallFailed):
    """Nobody answered, or not in time, or the service was not able to.

    A command may have happened all the same: asked again with the same request id it happens once.
    """


_UNABLE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.CANCELLED,
}


def failure(error: grpc.RpcError) -> CallFailed:
    """What gRPC raised, as one of the above."""
    if isinstance(error, CallFailed):
        return error
    return Unavailable(error) if error.code() in _UNABLE else Refused(error)


def _all(message: bytes, number: int) -> Iterator[bytes]:
    """The values of a field, by its number, in a message whose type need not be known."""
    fields: Any = UnknownFieldSet(Empty.FromString(message))
    return (field.data for field in fields if field.field_number == number)


def _one(message: bytes, number: int) -> bytes:
    return next(_all(message, number), b"")


def _text(message: bytes, number: int) -> str:
    return _one(message, number).decode()
