"""The edges: what foreign systems tell is kept before it is believed, and becomes commands in its own order."""
