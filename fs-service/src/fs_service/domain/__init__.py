"""The rules of review: pure, without disk, clock or wire."""
