"""The drawing and writing behind `make_media.py`. Everything is drawn here; no picture comes from anywhere."""
