"""From what an engine measured to what a scene needs, on a Reconstruction alone; never runs an engine again."""
