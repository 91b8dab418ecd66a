"""MediaReviewer: review folders on disk."""
