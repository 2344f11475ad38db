"""Background work: a worker process, and the thread on Blender's side that speaks with it."""
