"""Where the API listens: whether it can, and whether it may without asking who calls."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv6Address, ip_address
from typing import Any

import grpc

from adapters.access.tls import Tls


class CannotListen(Exception):
    def __init__(self, address: str, why: str, question: str = "") -> None:
        super().__init__(f"cannot listen on {address} ({why}); {question}name another address with --listen")


class Unprotected(Exception):
    """It would be open to others; the message says what to do."""


class Listener:
    """An address, and what protects it."""

    def __init__(self, address: str, tls: Tls | None, *, behind_proxy: bool = False) -> None:
        """Raises CannotListen, and Unprotected if others could read what is said there."""
        self._address = address
        self._tls = tls
        self.open_to_others = behind_proxy or not is_here(_try_to_listen(address))
        if self.open_to_others and tls is None and not behind_proxy:
            raise Unprotected(
                f"{address} can be reached from other machines, and nothing would be encrypted; give it a certificate "
                "with --tls-cert and --tls-key, say --behind-proxy if a proxy on the way ends TLS, or listen on "
                "127.0.0.1"
            )

    def require_clients(self, *, is_open: bool) -> None:
        """Refuses where others can come in and nobody is asked who calls."""
        if is_open and self.open_to_others:
            raise Unprotected(
                f"{self._address} can be reached by others, and no client is registered, so that everybody could do "
                "everything; register one first: python server.py client add NAME --role owner --all-tenants"
            )

    def listen(self, server: grpc.aio.Server) -> int:
        """The port, which the system chooses if the address says 0."""
        try:
            if self._tls is None:
                return server.add_insecure_port(self._address)
            return server.add_secure_port(self._address, self._tls.credentials)
        except RuntimeError as error:
            raise CannotListen(self._address, str(error)) from error


def is_here(hosts: list[str]) -> bool:
    """Whether nothing but this machine can reach any of these addresses."""
    found = [ip_address(host.partition("%")[0]) for host in hosts]
    plain = [(isinstance(each, IPv6Address) and each.ipv4_mapped) or each for each in found]
    return all(each.is_loopback for each in plain)


def _try_to_listen(address: str) -> list[str]:
    """The numbers that an address stands for.

    Raises CannotListen with the reason, which gRPC does not give, why it cannot be used. A name may stand for several
    numbers: as for gRPC, one that can be used is enough.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(address, error.strerror or str(error)) from error
    except UnicodeError as error:
        raise CannotListen(address, "this cannot be the name of a host") from error
    obstacles = [obstacle for each in found if (obstacle := _obstacle(*each))]
    if len(obstacles) == len(found):
        taken = obstacles[0].errno == errno.EADDRINUSE
        question = "is another server running there? If so, stop it or " if taken else ""
        raise CannotListen(address, obstacles[0].strerror or str(obstacles[0]), question)
    return [str(where[0]) for *_, where in found]


def _obstacle(family: int, kind: int, protocol: int, _: str, where: Any) -> OSError | None:
    try:
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(where)
            trial.listen()  # otherwise a port that another server shares would be accepted
    except OSError as error:
        return error
    return None
