"""One process at a time: a lock that the system itself releases when its holder ends, however it ends.

This module imports nothing beyond the standard library.
"""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..progress import Cancel, Progress, check

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PAUSE = 0.1  # seconds between two looks at a lock that another process holds
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def file_lock(path: Path, progress: Progress, cancel: Cancel) -> Iterator[bool]:
    """Hold the lock `path` (an empty file, made where there is none, and left there) as long as the block lasts.

    Waits while another process holds it. Yields False where the file system has no locks: then nobody is kept out.
    Raises Cancelled, OSError.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while (held := _take(handle)) is None:
            progress("Waiting for another run", 0.0)
            check(cancel)
            time.sleep(PAUSE)
        yield held
    finally:
        os.close(handle)  # and with it the lock


def _take(handle: int) -> bool | None:
    """True: the lock is ours; None: it is another's; False: there are no locks here."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in TAKEN else False
    return True
