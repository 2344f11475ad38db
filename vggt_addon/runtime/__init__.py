"""The private runtime: a Python environment of our own that holds torch; made, repaired and removed on a click each."""
