"""Interactive retrieval: items, their tags and groups, and what a session asks at its start."""
