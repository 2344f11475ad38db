"""What to say of a download that failed.

Apart from `failures.py` because what it imports takes Blender long. This module imports nothing beyond the standard
library.
"""

import errno
import http.client
import re
import ssl
import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InstallError
from ..weights.disk import FULL
from .failures import NOT_OFFERED, unreachable, unwritable

_NETWORK = (TimeoutError, ConnectionError, http.client.HTTPException, urllib.error.URLError, ssl.SSLError)


def explained(error: Exception, url: str, folder: Path) -> Exception:
    """`error`, met while `url` was fetched into `folder`, as an InstallError; itself if it is none of the known."""
    host = urlsplit(url).hostname or ""
    if isinstance(error, urllib.error.HTTPError):
        if error.code in (401, 403, 407):
            return InstallError(
                f"{host} refused the download with the answer {error.code}: check the name and password of your "
                "package index or proxy.",
                repr(error),
            )
        if error.code in (404, 410):
            return InstallError(NOT_OFFERED, f"{error!r} {_unsigned(url)}")
        return unreachable(host, error)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, OSError) and reason.errno in (*FULL, errno.EROFS, errno.EACCES, errno.EPERM):
        return unwritable(folder, reason)
    if isinstance(error, _NETWORK):
        return unreachable(host, error)
    if isinstance(error, FileNotFoundError):
        return InstallError(NOT_OFFERED, repr(error))
    return unwritable(folder, error) if isinstance(error, OSError) else error


def _unsigned(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
