"""Engines by name, imported only when asked for: an engine's libraries are heavy and may be absent.

This module imports nothing beyond the standard library.
"""

import importlib

from ..errors import EngineError
from .base import Engine

ENGINES = {
    "vggt": (".vggt.engine", "VggtEngine"),
    "dust3r": (".dust3r.engine", "Dust3rEngine"),
    "sfm": (".sfm.engine", "SfmEngine"),
}


def create(name: str) -> Engine:
    """The engine of that name. Raises EngineError where it is unknown or its libraries are missing."""
    if name not in ENGINES:
        raise EngineError(f"There is no engine called {name}: choose one of {', '.join(ENGINES)}.")
    module, attribute = ENGINES[name]
    try:
        engine: Engine = getattr(importlib.import_module(module, __package__), attribute)()
    except ImportError as error:
        raise EngineError(f"The engine {name} is not installed here: {error.name} is missing.", repr(error)) from error
    return engine
