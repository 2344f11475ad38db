"""Files of the Hugging Face Hub: what it says of one, and its content, begun downloads continued.

`hf_hub_download` of the library begins anew whenever its process ended (from version 2 on); with 5 GB that will not
do. So the content is fetched here, with the library's addresses, headers, session and errors. This module imports
nothing beyond the standard library; huggingface_hub inside the functions.
"""

import importlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .background import Watch
from .catalogue import CatalogueEntry

TIMEOUT = 20.0  # seconds without a byte
FRUITLESS = 4  # connections in a row that bring nothing, until it is given up
CONNECTIONS = 200  # in all
PAUSE = 1.0  # seconds before the second connection; twice as long before each further one
BLOCK = 1 << 18  # bytes
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be others in a moment


class NoHubError(Exception):
    """What answered is no hub, or one that does not say what the file is."""


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file."""

    url: str  # of this very revision
    revision: str
    size: int  # bytes
    sha256: str  # lower-case hex


def look_up(entry: CatalogueEntry, token: str | None, endpoint: str | None) -> HubFile:
    """What the hub (that of HF_ENDPOINT or the public one, unless `endpoint` is given) says of the entry's file.

    Raises NoHubError, and what the library raises.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    _quieten()
    url = hf_hub_url(entry.repository, entry.file, endpoint=endpoint)
    found = get_hf_file_metadata(url, token=token or False, endpoint=endpoint, timeout=TIMEOUT)
    if found.commit_hash is None or not found.size or not re.fullmatch("[0-9a-f]{64}", found.etag or ""):
        raise NoHubError(f"{url}: revision {found.commit_hash}, size {found.size}, tag {found.etag}")
    url = hf_hub_url(entry.repository, entry.file, revision=found.commit_hash, endpoint=endpoint)
    return HubFile(url, found.commit_hash, found.size, str(found.etag))


def fetch(file: HubFile, part: Path, token: str | None, watch: Watch) -> None:
    """Fetch what is missing of `part`, which holds the beginning of `file` or is not there; stop when `watch` says so.

    A connection that breaks is made again. Raises OSError of the disk, and what the library raises.
    """
    from huggingface_hub.errors import HfHubHTTPError

    _quieten()
    fruitless, failure = 0, Exception()
    for _ in range(CONNECTIONS):
        before = _length(part)
        if before > file.size:
            part.unlink()
            before = 0
        if before == file.size or watch.stop.is_set():
            return
        try:
            _connect(file, part, before, token, watch)
            failure = NoHubError(f"{file.url} has another length than {file.size}")
        except HfHubHTTPError as error:
            if error.response.status_code == 416:  # it cannot go on from there
                part.unlink(missing_ok=True)
            elif error.response.status_code not in PASSING:
                raise
            failure = error
        except network_error() as error:
            failure = error
        now = _length(part)
        if now == file.size:
            return
        fruitless = 0 if now > before else fruitless + 1
        if fruitless == FRUITLESS:
            break
        watch.stop.wait(PAUSE * 2**fruitless / 2)
    raise failure


def _connect(file: HubFile, part: Path, begin: int, token: str | None, watch: Watch) -> None:
    """One connection: append to `part`, from byte `begin` on, until the file or the connection ends."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    headers = build_hf_headers(token=token or False, library_name="vggt_addon")
    headers |= {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    stream = get_session().stream("GET", file.url, headers=headers, timeout=TIMEOUT, follow_redirects=True)
    with stream as response:  # on its way to another host, the session drops the token
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        goes_on = response.status_code == 206
        if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
            raise NoHubError(f"{file.url}: asked from byte {begin}, got {response.headers.get('Content-Range')}")
        with part.open("ab" if goes_on else "wb") as target:
            written = begin if goes_on else 0
            for block in response.iter_bytes(BLOCK):
                if watch.stop.is_set() or written + len(block) > file.size:
                    return
                target.write(block)
                written += len(block)
                watch.fraction = written / file.size
            target.flush()
            os.fsync(target.fileno())


def network_error() -> type[Exception]:
    """What the library's HTTP library (httpx, or a successor with another name) raises where the network fails."""
    found: Any = importlib.import_module(_http_library()).RequestError
    return found  # type: ignore[no-any-return]


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _http_library() -> str:
    from huggingface_hub import get_session

    return type(get_session()).__module__.partition(".")[0]


def _quieten() -> None:
    """Its log would hold addresses that let anyone fetch the file for a while."""
    logging.getLogger(_http_library()).setLevel(logging.WARNING)
