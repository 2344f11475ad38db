"""How the extension is packaged: its wheels are locked, fetched and checked, and Blender's own tool makes the zips.

No part of the product: it runs on a developer's machine, with the Python of `.venv`, and is called by the Makefile.
(It is not called `packaging`, because a library that pytest and torch need has that name.)
"""
