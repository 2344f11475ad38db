"""Addresses opened by Python's own library: proxies, certificates and passwords as configured.

This module imports nothing beyond the standard library.
"""

import base64
import ssl
import urllib.request
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import __version__
from .sources import Sources, certificate_files

SILENT_SECONDS = 30.0  # without a byte, after which a connection counts as broken


class Network:
    """Opens what `sources` leads to."""

    def __init__(self, sources: Sources) -> None:
        self._trusted = set(sources.trusted_hosts)
        proxies = {"http": sources.proxy, "https": sources.proxy} if sources.proxy else None
        trusting = ssl.create_default_context()
        for file in certificate_files(sources):
            trusting.load_verify_locations(cafile=file)
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        self._opener, self._blind_opener = (
            urllib.request.build_opener(
                urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)
            )
            for context in (trusting, blind)
        )

    def open(self, url: str, headers: dict[str, str] | None = None, method: str = "GET") -> Any:
        """The answer, as urllib has it. Raises OSError, http.client.HTTPException, ValueError."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        request = urllib.request.Request(
            urlunsplit((parts.scheme, host, parts.path, parts.query, "")), headers=headers or {}, method=method
        )
        request.add_header("User-Agent", f"vggt_addon/{__version__}")
        request.add_header("Accept-Encoding", "identity")
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            token = base64.b64encode(pair.encode()).decode("ascii")
            request.add_unredirected_header("Authorization", f"Basic {token}")  # not for where we are sent on to
        blind = host in self._trusted or parts.hostname in self._trusted
        return (self._blind_opener if blind else self._opener).open(request, timeout=SILENT_SECONDS)

    def size(self, url: str) -> int:
        """In bytes; 0 where the server does not say. Raises as `open`."""
        answer: IO[bytes]
        with self.open(url, method="HEAD") as answer:
            return int(answer.headers.get("Content-Length") or 0)  # type: ignore[attr-defined]
