"""Shopify's GraphQL Admin API: one call, with what its answers mean for whoever has to wait or look.

The version is pinned. The limit counts points by what a query may cost; an answer says how many are left, and an error
with which everything is well but the points says when they will do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import Account
from adapters.edges.http import Http, KeptToken, Reply, SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood

VERSION = "2026-07"
"""Of the API; Shopify keeps one for a year."""
ENDS = date(2027, 7, 1)
_EARLY_SECONDS = 600.0
"""Before its end a token is no longer used."""
_LONGEST_MESSAGE = 200


class Throttle(msgspec.Struct, frozen=True, rename="camel"):
    """How many points there are, and how fast they come back."""

    currently_available: float = 0.0
    restore_rate: float = 50.0


class QueryCost(msgspec.Struct, frozen=True, rename="camel"):
    requested_query_cost: float = 0.0
    throttle_status: Throttle = Throttle()


class AnswerParts(msgspec.Struct, frozen=True):
    cost: QueryCost | None = None


class GraphQLError(msgspec.Struct):
    message: str = ""
    extensions: dict[str, Any] = {}

    @property
    def code(self) -> str:
        return str(self.extensions.get("code", ""))


class GraphQLAnswer(msgspec.Struct):
    """HTTP 200, whether it worked or not."""

    data: dict[str, Any] | None = None
    errors: list[GraphQLError] | str = []
    extensions: AnswerParts = AnswerParts()


class GrantedToken(msgspec.Struct):
    access_token: str
    expires_in: float = 86_399.0


class NotGranted(NotUnderstood):
    """The app may not do this; its rights are to be looked at."""


class TooCostly(NotUnderstood):
    """The question might cost more points than a single one may: less is to be asked for at once."""


async def _token(http: Http, account: Account) -> str:
    """That of the connection, or one that is granted to the app for a day by its credentials."""
    if token := account.secret("token"):
        return token
    client_id, now = account.secret("client_id"), asyncio.get_running_loop().time()
    kept = http.tokens.get(client_id)
    if kept is None or kept.ends_at < now:
        granted = await _granted(http, account.settings["shop"], client_id, account.secret("secret"))
        kept = http.tokens[client_id] = KeptToken(granted.access_token, now + granted.expires_in - _EARLY_SECONDS)
    return kept.text


async def _granted(http: Http, shop: str, client_id: str, secret: str) -> GrantedToken:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    reply = await http.request(
        "POST",
        f"{shop}/admin/oauth/access_token",
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        content=urlencode(form).encode(),
    )
    if reply.status != 200:
        raise NotGranted(f"the shop grants no token and answers {reply.status}; see client_id and secret, and the app")
    return reading.decoded(reply.body, GrantedToken)


def can_ask(account: Account) -> bool:
    """Whether there is anything to ask with."""
    return bool(account.secret("token") or account.secret("client_id"))


class Shop:
    """The API of one shop."""

    def __init__(self, http: Http, account: Account) -> None:
        self._http = http
        self._account = account
        self.served_version = VERSION
        """Which version the shop answered in: a later one if this has ended."""

    async def call(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data of an answer. Raises TryLater, SystemUnreachable, NotGranted and NotUnderstood."""
        token = await _token(self._http, self._account)
        reply = await self._http.request(
            "POST",
            f"{self._account.settings['shop']}/admin/api/{VERSION}/graphql.json",
            headers={"content-type": "application/json", "x-shopify-access-token": token},
            content=msgspec.json.encode({"query": query, "variables": variables or {}}),
        )
        self._require_answer(reply)
        self.served_version = reply.headers.get("x-shopify-api-version", VERSION)
        answer = reading.decoded(reply.body, GraphQLAnswer)
        if answer.errors:
            _refuse(answer)
        if answer.data is None:
            raise NotUnderstood("the shop's answer holds no data")
        return answer.data

    def _require_answer(self, reply: Reply) -> None:
        if reply.status in (401, 403):
            self._http.tokens.pop(self._account.secret("client_id"), None)  # the next call asks for another
            raise NotGranted(f"the shop answers {reply.status}; see the token, and whether the app is installed")
        if reply.status >= 500:
            raise SystemUnreachable(f"the shop answers {reply.status}")
        if reply.status in (402, 423):
            raise NotGranted(f"the shop answers {reply.status}: it is frozen or locked")
        if reply.status != 200:
            raise NotUnderstood(f"the shop answers {reply.status}; see its address")


def _refuse(answer: GraphQLAnswer) -> None:
    """Says what the errors ask for."""
    errors = answer.errors if isinstance(answer.errors, list) else [GraphQLError(answer.errors)]
    codes = {each.code for each in errors}
    if "THROTTLED" in codes:
        cost = answer.extensions.cost or QueryCost()
        lacking = cost.requested_query_cost - cost.throttle_status.currently_available
        raise TryLater(max(1.0, lacking / max(1.0, cost.throttle_status.restore_rate)))
    if codes & {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        raise SystemUnreachable("the shop has a problem of its own")
    text = "; ".join(said(each.message) for each in errors[:3])
    if "MAX_COST_EXCEEDED" in codes:
        raise TooCostly(f"the shop does not take the question: {text}")
    if "ACCESS_DENIED" in codes:
        raise NotGranted(f"the app may not do this: {text}")
    raise NotUnderstood(f"the shop does not take the question: {text}")


def said(message: str) -> str:
    """A sentence of the shop, in one line; such sentences name fields and ids."""
    return " ".join(message.split())[:_LONGEST_MESSAGE]


def gid(kind: str, number: str | int) -> str:
    """Shopify's global id of something."""
    return str(number) if str(number).startswith("gid://") else f"gid://shopify/{kind}/{number}"


def number_of(global_id: str) -> int:
    """The number in a global id."""
    text = global_id.partition("?")[0].rpartition("/")[2]
    if not text.isdecimal() or not text.isascii() or len(text) > 19:
        raise NotUnderstood("id: no id of Shopify")
    return int(text)


def problem_of(answer: Mapping[str, Any], mutation: str, errors: str = "userErrors") -> str:
    """What a mutation complains of; empty if it was done. Errors come with HTTP 200."""
    found = answer[mutation]
    return "; ".join(said(str(each["message"])) for each in (found[errors] if found else [])[:3])
