"""Projection, rotations, similarity transforms and planes, in numpy alone."""
