"""A process of the service: its options, what it does in its role, its log, its folders, and whether it is well."""

import os

# Read while gRPC is imported. Forks here only run other programs, so gRPC need not prepare for them; and it would write
# a line of its own form for everybody who knocks without TLS.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
