"""One connection to the service: a tenant, a time limit, bounded repetition, and what can go wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from adapters.console.terminal.encryption import why_not_connected
from adapters.console.terminal.sentences import translated
from fulfilment import client, failures
from fulfilment.calls import REPEATED
from fulfilment.v1 import common_pb2

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
Command: TypeAlias = "grpc.UnaryUnaryMultiCallable[Q, common_pb2.Receipt]"
"""An RPC that records something."""


class Token(NamedTuple):
    """What proves who asks, and where it was read from."""

    text: str
    source: str

    @property
    def client(self) -> str:
        """Whose it is, which a token of a registered client says; empty if there is none."""
        kind, _, rest = self.text.partition("_")
        return rest.partition("_")[0] if kind == "flk" else ""

    def __repr__(self) -> str:
        return f"Token(of {self.source})"


class Trouble(Exception):
    """Why a command ends early: a sentence for people, an exit code and a reason for programs."""

    exit_code = 1

    def __init__(self, message: str, reason: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message, self.reason, self.details = message, reason, details


class RequestRefused(Trouble):
    """The service refused the request."""

    def seen_from(self, field: str) -> RequestRefused:
        """The same error, with field paths that begin within that field."""
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


class ConsoleClient(client.Client):
    """Calls that end in an answer or in Trouble; a timeout is reported at once."""

    def __init__(
        self,
        server: str,
        tenant: str,
        timeout_seconds: float,
        actor: str,
        token: Token,
        tls: grpc.ChannelCredentials | None,
        warn: Callable[[str], None],
    ) -> None:
        """Whether the token may go in plain was decided before."""
        repeated = REPEATED - {grpc.StatusCode.DEADLINE_EXCEEDED}
        with warnings.catch_warnings(action="ignore"):
            super().__init__(
                server,
                tenant=tenant,
                actor=actor,
                token=token.text,
                credentials=tls,
                insecure=True,
                timeout_seconds=timeout_seconds,
                repeated=repeated,
            )
        self._token_source = token.source
        self._warn = warn

    def context(self, request_id: str | None = None, part: str = "") -> common_pb2.CommandContext:
        """Who asks; part distinguishes the requests of one console command."""
        context = super().context(request_id or "")
        context.request_id += part
        return context

    def call(self, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, timeout_seconds: float | None = None) -> A:
        """The answer; its warnings are printed."""
        timeout = timeout_seconds or self.timeout_seconds
        try:
            answer = rpc(request, timeout=timeout)
        except failures.CallFailed as failed:
            raise self._trouble(failed, request, timeout) from None
        for warning in answer.warnings if isinstance(answer, common_pb2.Receipt) else ():
            self._warn(warning)
        return answer

    def pieces(self, rpc: grpc.UnaryStreamMultiCallable[Q, A], request: Q) -> list[A]:
        """All messages of a stream that ends."""
        timeout = self.timeout_seconds
        try:
            return self.repeating(lambda: list(rpc(request, timeout=timeout)))
        except failures.CallFailed as failed:
            raise self._trouble(failed, request, timeout) from None

    def stream(
        self, rpc: grpc.UnaryStreamMultiCallable[Q, A], request: Q, timeout_seconds: float | None = None
    ) -> Generator[A, None, None]:
        """The messages of a stream as they come; one that breaks off is not asked for again."""
        messages = rpc(request, timeout=timeout_seconds)
        try:
            yield from messages
        except failures.CallFailed as failed:
            raise self._trouble(failed, request, timeout_seconds or 0) from None
        finally:
            messages.cancel()

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

    def _trouble(self, failed: failures.CallFailed, request: Any, timeout: float) -> Trouble:
        code = failed.code()
        repeat = ""
        if "context" in request.DESCRIPTOR.fields_by_name:
            repeat = f"; repeat it with --request-id {request.context.request_id}, so that it happens once"
        if code is grpc.StatusCode.UNAVAILABLE and not failed.from_service:
            return Unreachable(self._why_unreachable(failed.message), "UNREACHABLE")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(f"no answer from {self.address} within {timeout:g} s{repeat}", "TIMEOUT")
        if failed.reason == "CREDENTIALS":
            return RequestRefused(self._about_credentials(), failed.reason)
        if failed.reason == "NOT_ALLOWED":
            return RequestRefused(_about_rights(failed.metadata), failed.reason, **failed.metadata)
        fields = [field for field, _ in failed.fields]
        details = {**failed.metadata, **({"fields": fields} if fields else {})}
        kind = RequestRefused if isinstance(failed, failures.Refused) else Unreachable
        malformed = request if code is grpc.StatusCode.INVALID_ARGUMENT else None
        message = translated(failed.message, malformed) or f"the service answered {code.name}"
        asks_of_the_past = "as_of" in request.DESCRIPTOR.fields_by_name and request.HasField("as_of")
        if asks_of_the_past and code is grpc.StatusCode.NOT_FOUND and failed.reason != "UNKNOWN_TENANT":
            # What would make it now is no help.
            message = (
                f"{message.partition(';')[0]}, as of that moment; leave out --as-of or --at to see what is there now"
            )
        return kind(message, failed.reason, **details)

    def _why_unreachable(self, said: str) -> str:
        return why_not_connected(said, self.address, encrypted=self.credentials is not None) or (
            f"the service at {self.address} does not answer; start it with `make run`, or name it with --server"
        )

    def _about_credentials(self) -> str:
        if self.token:
            return (
                f"the service at {self.address} does not take the token of {self._token_source}: it is unknown, "
                "expired or revoked; ask whoever runs the service for a new one"
            )
        return (
            f"the service at {self.address} asks for a token; name the file that holds yours with --token-file or "
            "FULFILMENT_TOKEN_FILE. Whoever runs the service makes one with `python server.py client add`"
        )


def _about_rights(told: Mapping[str, str]) -> str:
    role, rpc = told["role"], told["rpc"]
    if told.get("lacks") == "personal":
        return (
            f"this shows personal data ({rpc}), which your token has no right to; ask without --personal, --letter or "
            "whose they are, or for a client that is registered with --personal"
        )
    return f"your token has the role {role}, which may not do this ({rpc}); ask for one of a role that may"
