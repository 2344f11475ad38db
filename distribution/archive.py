"""A zip with the same bytes whenever and wherever it is made from the same files.

This module imports nothing beyond the standard library.
"""

import os
import zipfile
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_MODE = 0o100644 << 16  # a plain file that all may read


def make_reproducible(archive: Path) -> None:
    """Rewrite `archive`: files by name, without the time and the rights that they happened to have.

    Blender's tool takes both, and the order, from the disk.
    """
    temporary = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(temporary, "w") as target:
        for member in sorted(source.infolist(), key=lambda member: member.filename):
            plain = zipfile.ZipInfo(member.filename, _DATE)
            plain.external_attr = _MODE
            plain.create_system = 3  # Unix, wherever this runs
            plain.compress_type = member.compress_type
            target.writestr(plain, source.read(member), compresslevel=9)
    os.replace(temporary, archive)
