"""The edges: each module translates one foreign language, and decides nothing."""
