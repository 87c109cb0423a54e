"""What it costs to ask who calls, and to encrypt: 64 callers in short turns, as in ``turns``.

The ledger takes a token on each call, beside a ledger that is open, to which a token is sent all the same or is not:
so it shows what of it is gRPC's header and what is the ledger's. And it takes the token over TLS, beside an empty call
over TLS on the same server.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks import load
from benchmarks.rounds import Rounds
from benchmarks.stage import ROOT, Figure, Stage, client, entered
from benchmarks.turns import CALLERS

SUBJECTS = {
    "open": "the ledger while it is open",
    "sent": "the ledger while it is open, a token sent",
    "tokens": "the ledger with tokens",
    "tls": "the ledger with tokens over TLS",
    "empty_tls": "an empty call over TLS, many at once",
}
RATIOS = (("tokens", "open"), ("sent", "open"), ("tokens", "sent"), ("tls", "tokens"), ("tls", "empty_tls"))


class Served(NamedTuple):
    address: str
    reach: load.Reach


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 12, 100)
    rounds = Rounds(list(SUBJECTS), stage.size.turns)
    with ExitStack() as opened:
        served = entered(opened, {name: serving(stage, name) for name in SUBJECTS if name != "sent"})
        served["sent"] = Served(served["open"].address, served["tokens"].reach)
        ask = opened.enter_context(client())
        for turn, name in rounds:
            address, reach = served[name]
            placed = ask(load.place, address, f"{name}-{turn}", CALLERS, calls // 10, calls, reach)
            rounds.add(name, placed.result())
    for name in SUBJECTS:
        yield Figure(f"access.{name}.per_second", rounds.middle(name))
    for name, beside in RATIOS:
        yield Figure(f"access.{name}_to_{beside}", rounds.ratio(name, beside))


@contextmanager
def serving(stage: Stage, subject: str) -> Iterator[Served]:
    """A fresh server of a subject, with a supplier and stock where it keeps any, and how it is reached."""
    tls = certificate(stage.folder, subject) if subject.endswith("tls") else ()
    trusted = tls[0] if tls else ""
    if subject == "empty_tls":
        with stage.process("-m", "benchmarks.empty", "many", *tls) as address:
            yield Served(address, load.Reach(ca=trusted))
        return
    with stage.database() as conninfo:
        reach = load.Reach("" if subject == "open" else registered(conninfo), trusted)
        options = ("--tls-cert", tls[0], "--tls-key", tls[1]) if tls else ()
        with stage.ledger_on(conninfo, "api", *options) as address, client() as ask:
            ask(load.prepare, address, reach).result()
            yield Served(address, reach)


def registered(conninfo: str) -> str:
    """The token of a client that may do everything."""
    words = ["client", "add", "benchmark", "--role", "owner", "--all-tenants", "--personal", "--dsn", conninfo]
    added = subprocess.run([sys.executable, "server.py", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return added.stdout.strip()


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key, in files."""
    key, host = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(host, host, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].touch(mode=0o600)
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(files[0]), str(files[1])
