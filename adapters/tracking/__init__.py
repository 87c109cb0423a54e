"""Tracking: aggregators and carriers as systems of the edges. Translation alone; a file a system."""
