"""A new folder in the place of an older one, in one step or not at all.

This module imports nothing beyond the standard library.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_folder(new: Path, folder: Path) -> Iterator[None]:
    """`new` has the name of `folder`, if there is one, while the body runs, and keeps it where that succeeds.

    Else both have their names back. The older one is deleted at the end, and only where that succeeded.
    """
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    older = aside / "old"
    try:
        if folder.exists():
            os.replace(folder, older)
        try:
            os.replace(new, folder)
            try:
                yield
            except BaseException:
                os.replace(folder, new)
                raise
        except BaseException:
            if older.exists():
                os.replace(older, folder)
            raise
    except BaseException:
        if not older.exists():  # what could not be put back stays where it can be found
            aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)
