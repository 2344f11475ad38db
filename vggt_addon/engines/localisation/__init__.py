"""One more photo in a capture of any engine: where it was taken, and its depth, while nothing else moves."""
