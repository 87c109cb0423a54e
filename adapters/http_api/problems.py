"""Refusals as application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from google.rpc import code_pb2
from starlette.responses import Response

from adapters.metrics.calls import CallEnding
from adapters.rpc.statuses import MISTAKE, code_of, refusal_of
from ledger.refusals import Malformed, Refusal, without_frames

MEDIA_TYPE = "application/problem+json"
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Of every answer: it holds for now, and is what it says."""

HTTP_STATUSES: Mapping[int, HTTPStatus] = {
    code_pb2.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    code_pb2.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    code_pb2.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    code_pb2.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    code_pb2.NOT_FOUND: HTTPStatus.NOT_FOUND,
    code_pb2.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    code_pb2.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    code_pb2.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    code_pb2.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    code_pb2.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""By the status that the refusal has over gRPC; a test fails while one of them has none."""

_FAULTS = {HTTPStatus.FORBIDDEN: "PERMISSION_DENIED", HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED"}
"""The status that a fault of HTTP itself is counted under, if it is not that of a wrong request."""
_AGAIN_LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class HttpFault(Exception):
    """What HTTP itself has a status for, such as a body that is too long; it is no refusal of the ledger."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def problem_of(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """What is told of an error, and the headers that go with it."""
    if isinstance(error, HttpFault):
        return _plain(error.status, error.detail), error.headers
    refusal = refusal_of(error)
    without_frames(error)
    if refusal is None:
        return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, MISTAKE.details), {}
    return _refused(refusal), _headers(refusal)


def ending_of(problem: Mapping[str, Any]) -> CallEnding:
    """What a call is counted as that is answered by a problem: as over gRPC; a fault of HTTP has its own name."""
    if "reason" in problem:
        return CallEnding(problem["code"], problem["reason"])
    status = HTTPStatus(problem["status"])
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return CallEnding("INTERNAL")
    return CallEnding(_FAULTS.get(status, "INVALID_ARGUMENT"), status.name)


def response(problem: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(problem), problem["status"], {**HEADERS, **headers}, MEDIA_TYPE)


def _plain(status: HTTPStatus, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}


def _refused(refusal: Refusal) -> dict[str, Any]:
    code = code_of(refusal)
    problem = {
        "type": f"/problems/{refusal.reason}",
        "title": refusal.reason.replace("_", " ").capitalize(),
        "status": HTTP_STATUSES[code].value,
        "detail": refusal.message,
        "code": code_pb2.Code.Name(code),
        "reason": refusal.reason,
        "details": refusal.details,
    }
    if isinstance(refusal, Malformed):
        problem["violations"] = [{"field": field, "description": text} for field, text in refusal.faults]
    return problem


def _headers(refusal: Refusal) -> dict[str, str]:
    status = HTTP_STATUSES[code_of(refusal)]
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    if status not in _AGAIN_LATER:
        return {}
    milliseconds = int(refusal.details.get("retry_milliseconds", 0))
    return {"retry-after": str(max(1, -(-milliseconds // 1000)))}
