"""The tracking page: what customers see of their order without a login, in HTML that needs no script."""
