"""A call as the behaviours of the services see it: who calls, of which tenant, and until when it waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message

from adapters.access.callers import Caller
from adapters.every_tenant import end
from adapters.people.personal_reads import Viewer
from ledger.engine.about import ABOUT
from ledger.engine.past import AsOf
from ledger.refusals import UnknownTenant

M = TypeVar("M", bound=Message)

_ADMITTED_SECONDS = 1.0
"""How often it is looked whether a stream without news is still its caller's."""
_REQUEST_ID = re.compile(r"[!-~]{1,100}")


def rpc_of(request: Message) -> str:
    """The RPC that takes a request."""
    return type(request).__name__.removesuffix("Request")


class Call(msgspec.Struct, frozen=True):
    """A call that passed the gate."""

    rpc: str
    caller: Caller
    named: str | None
    """The tenant that the call names."""
    deadline: float | None
    """When the caller stops waiting, in the time of the event loop."""
    only: frozenset[str] | None = None
    """Whose data keys it uses; None for anybody's."""
    as_of: AsOf | None = None
    """As of when it asks; None for now."""

    @property
    def now(self) -> datetime:
        """The present, as far as the answer is concerned."""
        return datetime.now(UTC) if self.as_of is None else self.as_of.now

    @property
    def tenant(self) -> str:
        """Whose ledger it is for; raises UnknownTenant where the caller has no such tenant."""
        return self.caller.tenant(self.named)

    def about(self, request: Any) -> None:
        """Lets each line that is logged while it is answered say whose call it was, and which request."""
        ABOUT.set(lambda: {"tenant": self.named, "request_id": _request_id(request)})

    async def next_of(self, messages: AsyncGenerator[M, None], admitted: Callable[[], Call]) -> M | None:
        """The next message of its stream, None at the end. The stream may outlive its caller's token and grants: so it
        is ``admitted`` again for each message, and again and again while there is none."""
        following = asyncio.create_task(anext(messages, None), name="the next message")
        try:
            while not (await asyncio.wait({following}, timeout=_ADMITTED_SECONDS))[0]:
                self._go_on(admitted())
            if (message := following.result()) is not None:
                self._go_on(admitted())
            return message
        finally:
            await end([following])

    def _go_on(self, now: Call) -> None:
        """Raises UnknownTenant where its tenant was taken away."""
        if not now.caller.may_use(self.tenant):
            raise UnknownTenant(self.tenant)

    def viewer(self, about: str) -> Viewer:
        """Who reads personal data, and about what; raises NotAllowed where the caller has no right to it."""
        self.caller.require_personal(self.rpc)
        return Viewer(self.caller.proven, self.rpc, about)


def _request_id(request: Any) -> str:
    """The id of a command that has one."""
    said = request.context.request_id if "context" in request.DESCRIPTOR.fields_by_name else ""
    return str(said) if _REQUEST_ID.fullmatch(said) else ""
