"""A name by which a library opens a file.

This module imports nothing beyond the standard library.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import WeightsError


@contextmanager
def plain_name(path: Path, suffix: str) -> Iterator[Path]:
    """`path`, or a link to it that lasts as long as the block, where a library could not open it by its own name.

    Both libraries refuse names that are no Unicode, and torch.load hands whatever ends in .safetensors to the other
    one. A file may be read on under a link that is gone. Raises WeightsError where the system makes no links.
    """
    if _is_unicode(path) and (path.suffix.lower() != ".safetensors" or suffix == ".safetensors"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"weights{suffix}"
        try:
            link.symlink_to(path.absolute())
        except OSError as error:
            raise WeightsError(
                f"{path} cannot be opened by this name: rename it to weights{suffix}.", repr(error)
            ) from error
        yield link


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
