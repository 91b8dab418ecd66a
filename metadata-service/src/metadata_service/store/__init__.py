"""The catalogue's SQLite database. All SQL of this service is here."""
