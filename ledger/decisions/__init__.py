"""Decisions that span nouns."""
