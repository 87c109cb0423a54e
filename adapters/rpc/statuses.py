"""Refusals on the wire: the one table from a refusal's kind to a gRPC status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from ledger.engine.commands import DecisionFailed
from ledger.engine.registry import UnknownFact
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import (
    AlreadyExists,
    DeadlinePassed,
    Denied,
    Exhausted,
    Forbidden,
    Malformed,
    NotFound,
    OutOfRange,
    Refusal,
    StorageUnavailable,
    Unauthenticated,
    Unavailable,
    without_frames,
)

log = logging.getLogger("fulfilment.rpc")

DOMAIN = "fulfilment"
"""Whose reasons they are, in google.rpc.ErrorInfo."""

CODES: dict[type[Refusal], int] = {
    DeadlinePassed: code_pb2.DEADLINE_EXCEEDED,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    Denied: code_pb2.PERMISSION_DENIED,
    Malformed: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    Forbidden: code_pb2.FAILED_PRECONDITION,
    OutOfRange: code_pb2.OUT_OF_RANGE,
    Exhausted: code_pb2.RESOURCE_EXHAUSTED,
    Unavailable: code_pb2.UNAVAILABLE,
}
"""The nearest class of a refusal that stands here decides; a test fails while one has none."""


MISTAKE = rpc_status.to_status(
    status_pb2.Status(code=code_pb2.INTERNAL, message="the service made a mistake; its log says where")
)
"""The answer to a caller after an internal error."""


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal for the caller; None for an internal error, which only the log describes."""
    if isinstance(error, Refusal):
        return error
    if is_trouble(error):
        return StorageUnavailable(in_short(error))
    cause = error.cause if isinstance(error, DecisionFailed) else error
    if isinstance(cause, UnknownFact):
        return StorageUnavailable(in_short(cause), cause.name)
    if not isinstance(error, DecisionFailed):  # which the ledger has logged
        log.error("an RPC failed with %s", in_short(error), exc_info=error)
    return None


def code_of(refusal: Refusal) -> int:
    return next(CODES[kind] for kind in type(refusal).__mro__ if kind in CODES)


def refuse(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> tuple[str, str]:
    """Ends a call with the status of an error; returns its name, and the reason of a refusal.

    Not by ``abort``, which keeps an error of its own with the call: a circle that only a full collection frees.
    """
    refusal = refusal_of(error)
    status = MISTAKE if refusal is None else status_of(refusal)
    context.set_code(status.code)
    context.set_details(status.details)
    context.set_trailing_metadata(status.trailing_metadata)
    without_frames(error)
    return status.code.name, "" if refusal is None else refusal.reason


_COME_AGAIN_MILLISECONDS = 1000
"""After which it is worth to ask again for what cannot be answered now: who was refused has waited already."""
MOST_SENTENCE_BYTES, MOST_FIGURES_BYTES = 500, 2000
"""What a call's trailers hold: 8 KiB, in which the sentence stands three times and what is not ASCII takes more."""


def status_of(refusal: Refusal) -> grpc.Status:
    """The refusal as a status with google.rpc.Status in its details, cut to what a call's trailers hold."""
    sentence, figures = _cut(refusal.message, MOST_SENTENCE_BYTES), refusal.details
    details = []
    if isinstance(refusal, Malformed):
        violations = _violations(refusal.faults)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
        if left_out := len(refusal.faults) - len(violations):
            figures = {**figures, "left_out": str(left_out)}
    if wait := figures.get("retry_milliseconds") or (isinstance(refusal, Unavailable) and _COME_AGAIN_MILLISECONDS):
        delay = Duration()
        delay.FromMilliseconds(int(wait))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=_fitting(figures))
    status = status_pb2.Status(code=code_of(refusal), message=sentence, details=[_packed(info), *details])
    return rpc_status.to_status(status)


def _violations(faults: Sequence[tuple[str, str]]) -> list[error_details_pb2.BadRequest.FieldViolation]:
    """The first faults, as many as there is room for."""
    violations: list[error_details_pb2.BadRequest.FieldViolation] = []
    left = MOST_FIGURES_BYTES
    for field, message in faults:
        description = _cut(message, MOST_SENTENCE_BYTES)
        left -= len(field.encode()) + len(description.encode())
        if left < 0 and violations:
            break
        violations.append(error_details_pb2.BadRequest.FieldViolation(field=field, description=description))
    return violations


def _cut(text: str, most_bytes: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= most_bytes else encoded[:most_bytes].decode(errors="ignore") + "…"


def _fitting(figures: Mapping[str, str]) -> dict[str, str]:
    """The first figures, and how many are left out, where an order of many lines has more than there is room for."""
    fitting: dict[str, str] = {}
    left = MOST_FIGURES_BYTES
    for key, value in figures.items():
        left -= len(key.encode())
        if left <= 0:
            fitting["left_out"] = str(len(figures) - len(fitting))
            break
        fitting[key] = _cut(value, left)
        left -= len(fitting[key].encode())
    return fitting


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
