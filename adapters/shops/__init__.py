"""Shops: a folder each, in which its names and habits stop."""
