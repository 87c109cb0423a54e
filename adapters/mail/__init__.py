"""Mails: handed to a mail server, and read back where they come back."""
