"""The edges over HTTP: what foreign systems send comes in here."""
