"""Pixels of items: files and blobs, decoded in processes of their own."""
