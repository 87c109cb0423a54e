"""An identity provider for tests: keys, the JWKS that publishes them, and tokens."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://id.example/realm", "fulfilment"


class Provider:
    """Signs with one key, which has an id."""

    def __init__(self, key_id: str = "one", algorithm: str = "ES256", bits: int = 2048) -> None:
        self.key_id, self.algorithm = key_id, algorithm
        self.key: Any = (
            rsa.generate_private_key(65537, bits)
            if algorithm.startswith("RS")
            else ec.generate_private_key({"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[algorithm])
        )

    @property
    def jwk(self) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm.startswith("RS") else ECAlgorithm
        return {**kind.to_jwk(self.key.public_key(), as_dict=True), "kid": self.key_id, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A valid token unless a claim says otherwise; one that is None is left out."""
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "iat": now, "nbf": now, "exp": now + 300}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, self.key, self.algorithm, headers={"kid": self.key_id, **(headers or {})})


def jwks(*providers: Provider) -> bytes:
    return json.dumps({"keys": [each.jwk for each in providers]}).encode()
