"""Our own additions: health, figures, jobs, events, undo, the plan."""
