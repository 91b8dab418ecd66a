"""Framewell's gRPC contract: generated messages and stubs."""
