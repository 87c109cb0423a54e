"""Figures of this process for Prometheus: of the whole way of a command, and where each tenant stands."""
