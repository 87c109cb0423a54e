"""``python server.py health``: whether the service on this machine takes commands, for those who restart it if not.

It asks what a load balancer asks, without a token: gRPC's health of the empty name, or ``/healthz`` of edges that are a
process of their own. It is told nothing about the service but what the service itself is told, so in a container its
line is the same whatever the service's options.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.process.folders import path

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104 where it listens, not where we do


class Unhealthy(Exception):
    """The message says why."""


def main(arguments: Sequence[str]) -> None:
    """Prints that it serves; raises Unhealthy."""
    parser = argparse.ArgumentParser(
        prog="server.py health", description="Whether the service takes commands: exit code 0 if so, else 1."
    )
    environment = os.environ.get
    listen = environment("FULFILMENT_LISTEN") or "127.0.0.1:50051"
    parser.add_argument("--listen", default=listen, help=f"where the service listens ({listen})")
    web = environment("FULFILMENT_WEB") if environment("FULFILMENT_ROLE") == "edge" else None
    parser.add_argument("--web", default=web, help="where edges listen that are a process of their own")
    parser.add_argument("--tls-cert", type=path, default=environment("FULFILMENT_TLS_CERT"), help="its certificate")
    parser.add_argument("--tls-key", type=path, default=environment("FULFILMENT_TLS_KEY"), help="and the key of that")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to wait for an answer (%(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.web:
        require_edges(chosen.web, chosen.tls_cert, chosen.seconds)
        print(f"{chosen.web} takes deliveries")
        return
    if not is_serving(chosen.listen, chosen.tls_cert, chosen.tls_key, chosen.seconds):
        raise Unhealthy(f"{chosen.listen} takes no commands now: its database does not answer, or it is stopping")
    print(f"{chosen.listen} takes commands")


def is_serving(listen: str, certificate: Path | None, key: Path | None, seconds: float) -> bool:
    """Raises Unhealthy if nothing answers."""
    with _channel(listen, certificate, key) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # its methods come at run time
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        except grpc.RpcError as error:
            raise Unhealthy(f"nothing answers at {listen} ({error.code().name}: {error.details()})") from None
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def require_edges(web: str, certificate: Path | None, seconds: float) -> None:
    """Raises Unhealthy if they keep no deliveries now."""
    host, _, port = web.rpartition(":")
    here = _ANY_ADDRESS.get(host, host).strip("[]")
    try:
        with socket.create_connection((here, int(port)), seconds) as plain, _wrapped(plain, certificate) as connection:
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n".encode())
            answer = HTTPResponse(connection)
            answer.begin()
    except (OSError, HTTPException) as error:
        raise Unhealthy(f"nothing answers at {web} ({type(error).__name__}: {error})") from None
    if answer.status != 200:
        raise Unhealthy(f"{web} takes no deliveries now: its database does not answer")


def _wrapped(plain: socket.socket, certificate: Path | None) -> socket.socket:
    """What is asked is the very server that has this certificate, whoever signed it."""
    if certificate is None:
        return plain
    chain = _read(certificate)
    context = ssl.create_default_context(cadata=chain.decode())
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context.wrap_socket(plain, server_hostname=_name(chain) or None)


def _read(certificate: Path) -> bytes:
    try:
        return certificate.read_bytes()
    except OSError as error:
        raise Unhealthy(f"the certificate cannot be read: {error}") from None


def _channel(listen: str, certificate: Path | None, key: Path | None) -> grpc.Channel:
    host, _, port = listen.rpartition(":")
    address = f"{_ANY_ADDRESS.get(host, host)}:{port}"
    if certificate is None:
        return grpc.insecure_channel(address)
    # What is asked is the very server that has this certificate, whoever signed it. It is shown as well, in case only
    # those may connect who have one.
    try:
        chain = certificate.read_bytes()
        shown = (key.read_bytes(), chain) if key else (None, None)
        name = _name(chain)
    except (OSError, ValueError) as error:
        raise Unhealthy(f"the certificate cannot be read: {error}") from None
    named = [("grpc.ssl_target_name_override", name)] if name else None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(chain, *shown), named)


def _name(chain: bytes) -> str:
    """A name that the certificate is for; empty if it has none of its own."""
    try:
        names = x509.load_pem_x509_certificate(chain).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ""
    hosts = names.value.get_values_for_type(x509.DNSName)
    return next((host for host in hosts if "*" not in host), hosts[0].replace("*", "any", 1) if hosts else "")
