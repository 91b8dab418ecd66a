"""What a thumbnail is and what becomes of a job: no wire, no queue, no settings."""
