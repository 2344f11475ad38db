"""A time in a clip as a person reads it off a player; for Blender's side and the worker.

This module imports nothing beyond the standard library.
"""


def clock(seconds: float) -> str:
    """ "0:06" for 6.4 seconds, "1:02:03" for 3723."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
