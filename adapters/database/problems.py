"""What keeps the database from being used at a start."""


class StartFailed(Exception):
    """The database cannot be used; the message says why and what to do."""
