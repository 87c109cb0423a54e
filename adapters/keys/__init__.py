"""The keys of personal data: how servers hold them, and how they are replaced while these run."""
