"""The disk and the databases: everything that touches them is here."""
