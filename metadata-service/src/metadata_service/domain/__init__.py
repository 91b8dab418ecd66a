"""The rules of the catalogue. Nothing here knows SQL, messages, a clock or a disk."""
