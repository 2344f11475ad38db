"""One file looked up in a package index, for the tools that everything else is fetched with.

Reads simple indexes (PEP 503 pages, PEP 691 JSON) and folders of files.
This module imports nothing beyond the standard library.
"""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from .fetch import local_path
from .network import Network
from .network_failures import explained
from .sources import Sources

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_LONGEST_PAGE = 64 << 20  # bytes


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attributes if name == "href" and value]


def find_file(project: str, file: str, sources: Sources, network: Network) -> str:
    """The address of `file`, a wheel of `project`. Raises InstallError where no place that is configured has it."""
    failure: Exception | None = None
    pages = [
        *sources.find_links,
        *(f"{index.rstrip('/')}/{project}/" for index in (*sources.extra_indexes, sources.index)),
    ]
    for page in pages:
        try:
            for url in _links(page, network):
                if unquote(urlsplit(url).path).rsplit("/", 1)[-1] == file:
                    return urldefrag(url)[0]
        except Exception as error:  # another place may have it; the last is where it should be
            failure = explained(error, page, Path(page))
    raise failure or explained(FileNotFoundError(file), pages[-1], Path())


def _links(page: str, network: Network) -> Iterator[str]:
    if "://" not in page or page.startswith("file:"):
        folder = local_path(page) if page.startswith("file:") else Path(page)
        if folder.is_dir() and not (folder / "index.html").exists():
            yield from (path.absolute().as_uri() for path in folder.iterdir())
            return
        page = (folder / "index.html" if folder.is_dir() else folder).absolute().as_uri()
    with network.open(page, {"Accept": _ACCEPT}) as answer:
        text = answer.read(_LONGEST_PAGE).decode("utf-8", "replace")
        kind, base = answer.headers.get("Content-Type") or "", answer.url
    if "json" in kind:
        yield from (urljoin(base, str(entry["url"])) for entry in json.loads(text)["files"])
    else:
        parser = _Links()
        parser.feed(text)
        yield from (urljoin(base, link) for link in parser.found)
