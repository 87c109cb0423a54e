"""The command ``fulfilment``."""

import os

# Read while gRPC is imported, which would write about each failed handshake on standard error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
