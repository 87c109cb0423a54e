"""TLS of the console's connection: its files, and why a connection does not come about."""

from __future__ import annotations

import click
import grpc

from fulfilment.client import tls


def credentials(ca: str, certificate: str, key: str) -> grpc.ChannelCredentials:
    """Out of these files; an empty name means none."""
    if bool(certificate) != bool(key):
        raise click.UsageError("--cert and --key go together")
    try:
        return tls(ca or None, certificate or None, key or None)
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def why_not_connected(said: str, address: str, *, encrypted: bool) -> str:
    """What gRPC says of a connection that did not come about, for people; empty if it has nothing to do with TLS."""
    if "WRONG_VERSION_NUMBER" in said:
        return (
            f"the service at {address} does not encrypt; leave out --tls, --ca, --cert and --key, or ask another port"
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            f"the certificate of the service at {address} cannot be trusted: it has expired, or another authority has "
            "signed it; name the authority with --ca FILE"
        )
    if "Hostname Verification Check failed" in said:
        host = address.rpartition(":")[0]
        return f"the service at {address} has a certificate for another name than {host}; name it by --server as there"
    if "Socket closed" in said and encrypted:
        return (
            f"the service at {address} ended the connection; does it ask for a certificate? Name yours by --cert, --key"
        )
    if "Socket closed" in said:
        return f"the service at {address} ended the connection; does it encrypt? Then say --tls, or --ca FILE"
    return ""
