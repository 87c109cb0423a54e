"""Tokens of an identity provider: what proves who calls, and all that must not."""

from __future__ import annotations

import hmac
import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from adapters.access.oidc import LONGEST_TOKEN, BadKeys, Issuer, Keys, public_keys
from tests.support.certificates import Authority
from tests.support.identity import AUDIENCE, ISSUER, Provider, jwks

PROVIDER = Provider()
RSA = Provider("rsa", "RS256")
NOW = int(time.time())


def segment(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(PROVIDER, RSA))
    return path


def issuer_of(file: Path, claim: str = "sub") -> Issuer:
    keys = Keys(file)
    keys.read()
    return Issuer(ISSUER, AUDIENCE, keys, claim)


@pytest.mark.parametrize("provider", [PROVIDER, RSA], ids=["ECDSA", "RSA"])
def test_a_valid_token_names_its_client(file: Path, provider: Provider):
    proven = issuer_of(file).proven(provider.token())
    assert proven is not None
    assert (set(proven.names), proven.subject) == ({"shop"}, "shop")


def test_the_claim_that_names_clients_can_be_a_list(file: Path):
    issuer = issuer_of(file, "groups")
    proven = issuer.proven(PROVIDER.token(sub="u-17", groups=["desk", "night", 7]))
    assert proven is not None
    assert (set(proven.names), proven.subject) == ({"desk", "night"}, "u-17")


def test_several_audiences_may_be_named(file: Path):
    assert issuer_of(file).proven(PROVIDER.token(aud=["another", AUDIENCE]))


def test_clocks_may_differ_by_a_little(file: Path):
    issuer, now = issuer_of(file), int(time.time())
    assert issuer.proven(PROVIDER.token(exp=now - 20))
    assert issuer.proven(PROVIDER.token(nbf=now + 20, iat=now + 20))


WRONG: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 3600},
    "of the future": {"nbf": NOW + 3600},
    "issued in the future": {"iat": NOW + 3600},
    "without an end": {"exp": None},
    "with an end that is no number": {"exp": "soon"},
    "with an end beyond all numbers": {"exp": 1e999},
    "of another issuer": {"iss": "https://id.example/other"},
    "of an issuer that begins alike": {"iss": f"{ISSUER}/"},
    "without an issuer": {"iss": None},
    "for another audience": {"aud": "shop-frontend"},
    "for no audience": {"aud": None},
    "for nobody": {"sub": None},
    "for a subject of two lines": {"sub": "shop\nowner"},
    "for a subject without an end": {"sub": "x" * 256},
    "for a subject that is no word": {"sub": ["shop"]},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_a_token_with_a_wrong_claim_proves_nothing(file: Path, claims: dict[str, Any]):
    assert issuer_of(file).proven(PROVIDER.token(**claims)) is None


def forged(provider: Provider, header: dict[str, Any], sign: Any) -> str:
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    signed = f"{segment(header)}.{segment(claims)}"
    return f"{signed}.{segment(sign(signed.encode()))}"


def by_hmac(secret: bytes) -> Any:
    return lambda signed: hmac.digest(secret, signed, sha256)


FORGED = {
    "unsigned": forged(PROVIDER, {"alg": "none", "kid": "one"}, lambda signed: b""),
    "unsigned in other letters": forged(PROVIDER, {"alg": "nOnE", "kid": "one"}, lambda signed: b""),
    "signed with the public key as a secret": forged(RSA, {"alg": "HS256", "kid": "rsa"}, by_hmac(RSA.public_pem)),
    "signed with nothing as a secret": forged(PROVIDER, {"alg": "HS256", "kid": "one"}, by_hmac(b"")),
    "signed by a key of its own header": Provider("stranger").token(headers={"jwk": Provider("stranger").jwk}),
    "signed by another under the same id": Provider("one").token(),
    "by a key that cannot sign so": forged(PROVIDER, {"alg": "ES256", "kid": "rsa"}, lambda signed: b"0" * 64),
    "by RSA where the key is of ECDSA": forged(RSA, {"alg": "RS256", "kid": "one"}, lambda signed: b"0" * 256),
    "with an extension that must be understood": PROVIDER.token(headers={"crit": ["b64"], "b64": False}),
    "with an id of a key that is no word": PROVIDER.token(headers={"kid": "../../etc/passwd"}),
    "without a signature": PROVIDER.token().rpartition(".")[0] + ".",
    "with other content": ".".join([PROVIDER.token().split(".")[0], segment({"sub": "owner"}), "AAAA"]),
    "of a key without an id": jwt.encode({"sub": "shop"}, PROVIDER.key, "ES256"),
    "empty": "",
    "of two parts": "a.b",
    "of no base64": "!.!.!",
    "of no JSON": f"{segment(b'nonsense')}.{segment(b'nonsense')}.AAAA",
    "of JSON that is no object": f"{segment([])}.{segment([])}.AAAA",
    "of JSON as deep as it goes": f"{segment(b'[' * 3000)}.{segment({})}.AAAA",
    "of half a character": "\ud800.\ud800.\ud800",
    "too long": PROVIDER.token(more="x" * LONGEST_TOKEN),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_token_that_the_provider_did_not_sign_so_proves_nothing(file: Path, token: str):
    assert issuer_of(file).proven(token) is None


def test_a_token_is_remembered_until_it_expires_and_no_longer(file: Path, monkeypatch: pytest.MonkeyPatch):
    issuer = issuer_of(file)
    token = PROVIDER.token()
    checked: list[str] = []
    decode = jwt.decode

    def noted(token: str, *rest: Any, **more: Any) -> Any:
        checked.append(token)
        return decode(token, *rest, **more)

    monkeypatch.setattr(jwt, "decode", noted)
    assert issuer.proven(token) == issuer.proven(token)
    assert checked == [token]
    monkeypatch.setattr(time, "time", lambda: NOW + 3600.0)
    assert issuer.proven(token) is None


def test_so_many_tokens_are_remembered_and_no_more(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.access.oidc._MOST_KNOWN", 2)
    issuer = issuer_of(file)
    for number in range(4):
        assert issuer.proven(PROVIDER.token(jti=str(number)))
    assert len(issuer._known) == 2


# --- the keys -------------------------------------------------------------------------------------------


def test_a_key_that_is_withdrawn_opens_nothing_any_more(file: Path):
    issuer = issuer_of(file)
    token = PROVIDER.token()
    assert issuer.proven(token)
    file.write_bytes(jwks(RSA))
    issuer.keys.read()
    assert issuer.proven(token) is None


def test_a_new_key_is_taken_when_the_keys_are_read_again(file: Path):
    issuer, new = issuer_of(file), Provider("new", "ES384")
    assert issuer.proven(new.token()) is None
    file.write_bytes(jwks(PROVIDER, new))
    issuer.keys.read()
    assert issuer.proven(new.token())


def test_keys_that_cannot_be_read_again_stay_as_they_were(file: Path):
    issuer = issuer_of(file)
    file.write_bytes(b"half a fi")
    with pytest.raises(BadKeys, match="are no JWKS"):
        issuer.keys.read()
    file.unlink()
    with pytest.raises(BadKeys, match="No such file or directory"):
        issuer.keys.read()
    assert issuer.proven(PROVIDER.token())


SECRET = {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac", "alg": "HS256"}


@pytest.mark.parametrize(
    "key",
    [
        SECRET,
        {**PROVIDER.jwk, "use": "enc"},
        {**PROVIDER.jwk, "d": "AAAA"},
        {**PROVIDER.jwk, "crv": "P-999"},
        {**PROVIDER.jwk, "x": "?"},
        {**RSA.jwk, "alg": "PS256"},
        {**RSA.jwk, "alg": "HS256"},
        {name: value for name, value in PROVIDER.jwk.items() if name != "kid"},
        "nonsense",
    ],
    ids=["secret", "to encrypt", "private", "unknown curve", "damaged", "PSS", "of HMAC", "without an id", "no object"],
)
def test_a_key_that_signs_otherwise_is_left_out(key: object):
    content = json.dumps({"keys": [key, RSA.jwk]}).encode()
    assert list(public_keys(content)) == ["rsa"]
    with pytest.raises(BadKeys, match="has no key with an id"):
        public_keys(json.dumps({"keys": [key]}).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": 7}', b"{}", b'{"keys": []}'])
def test_what_is_no_set_of_keys_is_refused(content: bytes):
    with pytest.raises(BadKeys):
        public_keys(content)


def test_an_rsa_key_that_is_too_short_proves_nothing(file: Path):
    short = Provider("short", "RS256", bits=1024)
    file.write_bytes(jwks(short))
    assert issuer_of(file).proven(short.token()) is None


# --- from a URL -----------------------------------------------------------------------------------------


@contextmanager
def web(authority: Authority, answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server of https that remembers what it was asked."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            code, headers, body = answers[self.path]
            self.send_response(code)
            for header in headers.items():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    pair = authority.issue("web")
    server = HTTPServer(("127.0.0.1", 0), Answers)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_keys_come_from_an_url_which_leads_nowhere_else_and_is_not_too_long(tmp_path: Path):
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=authority.file)
    answers = {
        "/keys": (200, {}, jwks(PROVIDER)),
        "/away": (302, {"Location": "/keys"}, b""),
        "/broken": (500, {}, b""),
        "/long": (200, {}, b" " * (256 * 1024 + 1)),
    }
    with web(authority, answers) as (url, asked):
        keys = Keys(f"{url}/keys", trusting)
        keys.read()
        assert keys.find("one") is not None
        for path, why in {"away": "it redirects", "broken": "it answers 500", "long": "are longer than"}.items():
            with pytest.raises(BadKeys, match=why):
                Keys(f"{url}/{path}", trusting).read()
        assert asked == ["/keys", "/away", "/broken", "/long"]
        with pytest.raises(BadKeys, match=r"cannot be read \(.*CERTIFICATE_VERIFY_FAILED"):
            Keys(f"{url}/keys").read()


def test_an_url_is_asked_again_for_a_key_that_is_missing_but_not_for_each_token(monkeypatch: pytest.MonkeyPatch):
    at = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: at)
    keys = Keys("https://id.example/keys")
    keys._read_at = at
    assert not keys._is_due()
    keys.find("new")
    assert not keys._is_due()
    at += 31
    assert keys._is_due()
    keys._missed = False
    assert not keys._is_due()
    at += 300
    assert keys._is_due()
