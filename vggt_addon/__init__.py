"""Photos to a Blender scene.

This package is imported under two names: `vggt_addon` (command line, tests, worker processes) and
`bl_ext.<repository>.vggt_addon.vggt_addon` (inside Blender). Hence relative imports throughout, and nothing is imported
here: which rooms may import which libraries is listed in `tests/test_import_rules.py`.
"""

__version__ = "0.1.0"
