"""The retailer's own site, and any other shop that writes our documents (docs/own-site.md)."""
