"""The files of the review roots: the sources and their thumbnails."""
