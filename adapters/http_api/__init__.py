"""The contract over HTTP and JSON: every RPC by its name, the same gate, the same answers, the same refusals."""
