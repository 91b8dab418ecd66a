"""Adapters of the vector store port: memory (exact), Qdrant Edge (in process), Qdrant server."""
