"""Shopify: its webhooks, and its GraphQL Admin API."""
