"""A file that appears as a whole or not at all.

This module imports nothing beyond the standard library.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError


@contextmanager
def whole_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A new file that takes the name `path`, replacing what is there, when the body ends well.

    Raises UserError where the disk refuses; `what` is what it was to hold: "points".
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            temporary.chmod(0o644)  # mkstemp's 0o600 would lock out the artist's colleagues
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"The {what} could not be written to {path}: {error.strerror or error}.", repr(error)
        ) from error
