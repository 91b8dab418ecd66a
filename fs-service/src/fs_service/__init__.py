"""Files, review state, journal and trash."""
