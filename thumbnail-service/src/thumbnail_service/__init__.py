"""Thumbnail workers."""
