"""One process at a time: a lock that the system itself releases when its holder ends, however it ends.

This module imports nothing beyond the standard library.
"""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..progress import Cancel, Progress, check

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PAUSE = 0.1  # seconds between two looks at a lock that another process holds
_TRIES = 10  # to make a file in a folder that another process removes
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def file_lock(path: Path, progress: Progress, cancel: Cancel) -> Iterator[bool]:
    """Hold the lock `path` (an empty file, made with its folder where there is none) as long as the block lasts.

    Waits while another process holds it; that one may remove the file, or the folder, at its end. Yields False where
    the file system has no locks: then nobody is kept out. Raises Cancelled, OSError.
    """
    while True:
        handle = _open(path)
        try:
            while (held := _take(handle)) is None:
                progress("Waiting for another run", 0.0)
                check(cancel)
                time.sleep(PAUSE)
            if held and not _is_still(path, handle):
                continue  # we hold a file without a name, which keeps nobody out
            yield held
            return
        finally:
            os.close(handle)  # and with it the lock


def _open(path: Path) -> int:
    for _ in range(_TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # where the folder goes in this very moment
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _is_still(path: Path, handle: int) -> bool:
    """Whether the open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _take(handle: int) -> bool | None:
    """Try for the lock of an open file. True: it is ours; None: it is another's; False: there are no locks here."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in TAKEN else False
    return True
