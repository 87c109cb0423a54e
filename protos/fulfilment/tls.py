"""TLS of a connection to the service, out of files."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import grpc

File = str | os.PathLike[str]


def tls(ca: File | None = None, certificate: File | None = None, key: File | None = None) -> grpc.ChannelCredentials:
    """The credentials of a client that encrypts: ``Client(address, credentials=tls("ca.pem"))``.

    ``ca`` holds the authorities by which the service's certificate is trusted; without it, those that gRPC knows.
    Where the service asks for a certificate, ``certificate`` and ``key`` are the client's own. Raises OSError for a
    file that cannot be read, and ValueError for one that is not PEM.
    """
    if (certificate is None) != (key is None):
        raise ValueError("a certificate and its key go together")
    return grpc.ssl_channel_credentials(*map(_content, (ca, key, certificate)))


def is_here(address: str) -> bool:
    """Whether an address of gRPC, or each of several, is this machine: a socket, or loopback."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    plain = address.rpartition("/")[2].removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:")
    return all(map(_is_loopback, plain.split(",")))


def _is_loopback(plain: str) -> bool:
    host = (plain.rpartition(":")[0] or plain).strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _content(file: File | None) -> bytes | None:
    if file is None:
        return None
    content = Path(file).read_bytes()
    if b"-----BEGIN " not in content:
        raise ValueError(f"{file} is no PEM file (-----BEGIN ...)")
    return content
