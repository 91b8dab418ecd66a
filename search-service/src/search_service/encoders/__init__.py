"""Models that turn pictures and words into vectors of one space. Their libraries are imported when one is loaded."""
