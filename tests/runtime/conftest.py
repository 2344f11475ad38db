"""A package index of a test's own, small wheels in it, and a lock of them: all else is the real thing.

uv comes once from wherever this machine's packages come from, into build/, and from then on from the test's index.
"""

import base64
import hashlib
import json
import os
import random
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from vggt_addon.errors import InstallError
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime.install import Request
from vggt_addon.runtime.install import install as really_install
from vggt_addon.runtime.locked import Lock, load_lock
from vggt_addon.runtime.network import Network
from vggt_addon.runtime.platforms import this_platform
from vggt_addon.runtime.record import Record
from vggt_addon.runtime.sources import configured
from vggt_addon.runtime.tools import fetch_tool, tool_wheels

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Index:
    """A simple index over HTTP, and what goes wrong with it."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)  # by name
    broken_after: int | None = None  # bytes, after which the connection of a wheel's download breaks
    seconds_a_block: float = 0.0  # how slow wheels are
    slow: str = ""  # what the names of the slow ones hold
    status: int = 200  # what wheels are answered with, other than 200
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and Range of what was fetched

    def wheel(self, name: str, version: str = "1.0", size: int = 0, more: dict[str, bytes] | None = None) -> str:
        """Add a package of one module of the version, and `size` bytes that cannot be compressed; returns its file."""
        contents = {f"{name}/__init__.py": f'VERSION = "{version}"\n'.encode(), **(more or {})}
        if size:
            contents[f"{name}/data.bin"] = random.Random(name).randbytes(size)
        metadata = f"{name}-{version}.dist-info"
        contents[f"{metadata}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        contents[f"{metadata}/WHEEL"] = (
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
        contents[f"{metadata}/RECORD"] = "\n".join([*rows, f"{metadata}/RECORD,,", ""]).encode()
        path = Path(f"{name}-{version}-py3-none-any.whl")
        self.files[path.name] = _zipped(contents)
        return path.name

    def lock(self, folder: Path, *files: str, torch: str = "") -> Path:
        """The lock of these files, as a folder."""
        folder.mkdir(exist_ok=True)
        lines = []
        for file in files:
            name, version = file.split("-")[:2]
            lines.append(f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(self.files[file]).hexdigest()}\n")
        (folder / "packages.lock").write_text("".join(lines))
        (folder / "lock.json").write_text(json.dumps({"torch": torch}))
        return folder


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(contents: dict[str, bytes]) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, index: Index, *arguments: object) -> None:
        self._index = index
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path)
        if path.startswith("/simple/"):
            project = path.removeprefix("/simple/").strip("/")
            files = [name for name in self._index.files if name.split("-")[0].replace("_", "-") == project]
            page = "".join(
                f'<a href="/files/{name}#sha256={hashlib.sha256(self._index.files[name]).hexdigest()}">{name}</a><br/>'
                for name in files
            )
            self._answer(200 if files else 404, page.encode(), "text/html")
            return
        content = self._index.files.get(path.removeprefix("/files/"))
        if content is None or self._index.status != 200:
            self._answer(404 if content is None else self._index.status, b"", "text/plain")
            return
        asked = self.headers.get("Range", "")
        if self.command == "GET":
            self._index.asked.append((path, asked))
        start, end = 0, len(content)
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = (int(first), int(last) + 1 if last else end) if first else (end - int(last), end)
        if start >= len(content):
            self._answer(416, b"", "text/plain")
            return
        self._pause = self._index.seconds_a_block if self._index.slow in path else 0.0
        self._send_wheel(content[start:end], 206 if asked else 200, f"bytes {start}-{end - 1}/{len(content)}")

    def _send_wheel(self, content: bytes, status: int, span: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        if status == 206:
            self.send_header("Content-Range", span)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self._index.broken_after
        if limit is not None and len(content) > limit:
            self.wfile.write(content[:limit])
            self.close_connection = True
            return
        block = 1 << 14 if self._pause else len(content)
        for start in range(0, len(content), max(block, 1)):
            time.sleep(self._pause)
            self.wfile.write(content[start : start + block])

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Nobody reads it."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that goes away is what these tests are about."""


@pytest.fixture
def quiet_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index without any file, and this process's settings leading there alone."""
    index = Index()
    server = _Server(("127.0.0.1", 0), partial(_Handler, index))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    index.address = f"http://127.0.0.1:{server.server_address[1]}"
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple")
    yield index
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def tools() -> dict[str, Path]:
    """uv's and pip's wheel, fetched once as a user's are."""
    folder = REPOSITORY / "build" / "runtime-tools"
    folder.mkdir(parents=True, exist_ok=True)
    sources = configured()
    try:
        network = Network(sources)
        wheels = tool_wheels(this_platform()).values()
        return {wheel.name: fetch_tool(wheel, folder, sources, network, never) for wheel in wheels}
    except InstallError as error:
        pytest.skip(f"uv is fetched from a package index: {error.sentence}")


@pytest.fixture
def index(tools: dict[str, Path], quiet_index: Index) -> Index:
    """With the tools in it."""
    for path in tools.values():
        quiet_index.files[path.name] = path.read_bytes()
    return quiet_index


@pytest.fixture
def locked(index: Index, tmp_path: Path) -> Path:
    """A lock of three packages, the largest of two megabytes."""
    files = [index.wheel("alpha"), index.wheel("beta", size=2_000_000), index.wheel("gamma", "2.5")]
    return index.lock(tmp_path / "lock", *files)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a runtime, with a name that programs stumble over."""
    return tmp_path / "Jörg's Blender ☃" / "runtime"


@pytest.fixture
def install(locked: Path, folder: Path) -> Callable[..., Record]:
    """Installs what is locked with the Python that runs the tests."""

    def call(lock: Lock | None = None, cancel: Callable[[], bool] = never, **changes: object) -> Record:
        values = {"folder": folder, "python": Path(sys.executable), "online": True, **changes}
        request = Request(**values, lock=lock or load_lock(locked))  # type: ignore[arg-type]
        return really_install(request, no_progress, cancel)

    return call
