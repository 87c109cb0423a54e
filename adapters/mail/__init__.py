"""Mails: handed to a mail server, and read back where they come back."""

PASSWORD = "FULFILMENT_SMTP_PASSWORD"  # noqa: S105 - its name
"""In the environment alone: a command line can be read by every user of the machine."""
IMAP_PASSWORD = "FULFILMENT_IMAP_PASSWORD"  # noqa: S105 - its name
