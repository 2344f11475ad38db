"""Depth of every photo from known cameras: plane sweep, semi-global aggregation, refinement, consistency."""
