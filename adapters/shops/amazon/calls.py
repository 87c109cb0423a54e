"""Requests to the Selling Partner API: within each operation's own limit, with tokens that are kept until they end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import ClassVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import Account, Field
from adapters.edges.http import Http, KeptToken, Limit, Reply, SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood
from adapters.edges.system import System
from adapters.shops.amazon.marketplaces import ENDPOINTS, SANDBOX

_LOGIN = "https://api.amazon.com/auth/o2/token"
_TOKENS = "/tokens/2021-03-01/restrictedDataToken"
_EARLY_SECONDS = 60.0
"""So long before its end a token is not used any more."""
_ALLOWS = "x-amzn-ratelimit-limit"

RESTRICTED = "createRestrictedDataToken"
LOGIN = "login"

API_SETTINGS: Mapping[str, Field] = {
    "client": Field("the application's client id, such as amzn1.application-oa2-client.1a2b", required=True),
    "sandbox": Field("yes for Amazon's sandbox, whose orders are not real"),
    "api": Field("the address of the API, if it is not that of the region"),
    "login": Field("the address that gives out tokens, if it is not Amazon's own"),
}
API_SECRETS: Mapping[str, Field] = {
    "refresh": Field("the refresh token that the seller's authorisation gave (Atzr|...)", required=True),
    "client_secret": Field("the application's client secret", required=True),
}
LOGIN_LIMITS: Mapping[str, Limit] = {LOGIN: Limit(1.0, 10), RESTRICTED: Limit(1.0, 10)}


class SellingPartner(System):
    """What the systems of Amazon have in common."""

    role: ClassVar[str] = "shop"
    calls_per_second: ClassVar[float] = 1.0

    def region(self, settings: Mapping[str, str]) -> str:
        """Of the three, where the account is asked."""
        raise NotImplementedError

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        for name in ("api", "login", "queue"):
            if (address := settings.get(name)) is not None:
                parts = urlsplit(address)
                if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
                    raise ValueError(f"{name} is not an address, such as https://example.org")
        if settings.get("sandbox", "no") not in ("yes", "no"):
            raise ValueError("sandbox is yes or no")
        return settings

    def api(self, account: Account) -> str:
        own = account.settings.get("api", "").rstrip("/")
        there = ENDPOINTS[self.region(account.settings)]
        return own or (there.replace("https://", SANDBOX) if account.settings.get("sandbox") == "yes" else there)

    async def call(
        self,
        http: Http,
        account: Account,
        method: str,
        path: str,
        *,
        limit: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        restricted: str = "",
    ) -> Reply:
        """The answer, unless it says to come later. A token that has ended before its time is asked for anew, once.

        Where people's data is answered only to a token of its own, ``restricted`` is the path that it is asked for.
        """
        for is_again in (False, True):
            if restricted:
                token = await _restricted(self, http, account, restricted)
            else:
                token = await _access(http, account)
            reply = await _send(self.api(account) + path, method, http, token, limit, params, body)
            if reply.status not in (401, 403) or is_again:
                break
            for each in ("access", f"restricted {restricted}"):
                http.tokens.pop(_name(account, each), None)
        if reply.status >= 500:
            raise SystemUnreachable(f"Amazon answers {reply.status}")
        return reply


async def _send(
    url: str,
    method: str,
    http: Http,
    token: str,
    limit: str,
    params: Mapping[str, str] | None,
    body: object,
) -> Reply:
    content = b"" if body is None else msgspec.json.encode(body)
    headers = {"x-amz-access-token": token, "content-type": "application/json", "accept": "application/json"}
    # As SP-API wants it: a list is one parameter, whose commas are not encoded.
    whole = f"{url}?{urlencode(params, safe=',', quote_via=quote)}" if params else url
    try:
        reply = await http.request(method, whole, headers=headers, content=content, limit=limit)
    except TryLater as later:
        _learn(http, limit, later.headers)
        raise
    _learn(http, limit, reply.headers)
    return reply


def _learn(http: Http, limit: str, headers: Mapping[str, str]) -> None:
    """Amazon says with its answers how many requests of an operation it takes from this account."""
    with suppress(ValueError):
        http.allows(limit, float(headers.get(_ALLOWS, "")))


# --- tokens ---------------------------------------------------------------------------------------


class _Login(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


class _LoginError(msgspec.Struct):
    error: str = ""


class _Restricted(msgspec.Struct, rename="camel"):
    restricted_data_token: str
    expires_in: float = 3600.0


def _kept(http: Http, name: str) -> str:
    token = http.tokens.get(name)
    return token.text if token is not None and token.ends_at > asyncio.get_running_loop().time() else ""


def _keep(http: Http, name: str, text: str, seconds: float) -> str:
    http.tokens[name] = KeptToken(text, asyncio.get_running_loop().time() + seconds - _EARLY_SECONDS)
    return text


def _name(account: Account, what: str) -> str:
    """Another token after a rotation, because it is of other secrets."""
    secrets = "\0".join((account.secret("refresh"), account.secret("client_secret"), what))
    return blake2b(secrets.encode(), digest_size=16).hexdigest()


async def _access(http: Http, account: Account) -> str:
    name = _name(account, "access")
    if found := _kept(http, name):
        return found
    problem = ""
    # After the client secret was changed, Amazon takes the one of before for some days more, or not yet the new one.
    for refresh in account.every("refresh"):
        for secret in account.every("client_secret"):
            reply = await _login(http, account, refresh, secret)
            if reply.status == 200:
                told = reading.decoded(reply.body, _Login)
                return _keep(http, name, told.access_token, told.expires_in)
            if reply.status >= 500:
                raise SystemUnreachable(f"Amazon's login answers {reply.status}")
            problem = problem or _error_of(reply)
    raise NotUnderstood(f"Amazon gives no token: {problem}; see client, client_secret and refresh")


async def _login(http: Http, account: Account, refresh: str, secret: str) -> Reply:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": account.settings["client"],
        "client_secret": secret,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    url = account.settings.get("login") or _LOGIN
    return await http.request("POST", url, headers=headers, content=urlencode(form).encode(), limit=LOGIN)


def _error_of(reply: Reply) -> str:
    """Amazon's word for it, such as invalid_client; nothing of what was sent."""
    try:
        word = reading.decoded(reply.body, _LoginError).error
    except NotUnderstood:
        word = ""
    return word[:60] if word.replace("_", "").isalpha() else f"it answers {reply.status}"


async def _restricted(system: SellingPartner, http: Http, account: Account, path: str) -> str:
    """A token that also shows people's data, for one path; the account's application needs the role for it."""
    name = _name(account, f"restricted {path}")
    if found := _kept(http, name):
        return found
    wanted = {"restrictedResources": [{"method": "GET", "path": path}]}
    reply = await system.call(http, account, "POST", _TOKENS, limit=RESTRICTED, body=wanted)
    if reply.status != 200:
        raise NotUnderstood(f"Amazon gives no token for people's data: it answers {reply.status}; see the roles")
    told = reading.decoded(reply.body, _Restricted)
    return _keep(http, name, told.restricted_data_token, told.expires_in)


# --- answers --------------------------------------------------------------------------------------


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def problem(reply: Reply) -> str:
    """What Amazon says is wrong, in its words: its code and message, which name fields."""
    try:
        errors = reading.decoded(reply.body, _Errors).errors
    except NotUnderstood:
        errors = []
    said = "; ".join(f"{each.code or ''}: {each.message or ''}" for each in errors[:3])
    return f"Amazon answers {reply.status}" + (f" ({said[:300]})" if said else "")
