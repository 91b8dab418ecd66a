"""Wickson: list media."""
