"""A hub for tests, on this machine: one file, told and handed out as the Hugging Face Hub does, or not.

As there, the hub answers a question about the file itself, and sends whoever wants its content to another host.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = "0123456789abcdef0123456789abcdef01234567"
MOST_REQUESTS = 400  # then it refuses: no test may go round for ever


@dataclass
class Request:
    method: str
    path: str
    begin: int  # first byte asked for
    token: str | None
    content_host: bool  # which of the two hosts was asked


@dataclass
class FakeHub:
    content: bytes
    sha256: str = ""  # as told; empty: the true one
    size: int | None = None  # as told; None: the true one
    status: int = 0  # of every answer of the hub, if not 0
    error: str = ""  # with it, as the hub names it
    token: str = ""  # that is known to it; empty: it wants none
    cuts: list[int] = field(default_factory=list)  # bytes after which the next connections break, one each
    answers: list[int] = field(default_factory=list)  # statuses of the next answers of the host of the content
    ranges: bool = True  # whether the content can be had from a byte on
    anonymous: bool = False  # a web server, not a hub
    stalled: threading.Event | None = None  # set in the midst of the content, which then waits for `leave`
    leave: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    address: str = ""
    content_address: str = ""

    @contextmanager
    def serving(self) -> Iterator["FakeHub"]:
        """`address` answers as long as the block lasts."""
        servers = [self._server(content_host) for content_host in (False, True)]
        self.address, self.content_address = (f"http://127.0.0.1:{server.server_port}" for server in servers)
        threads = [threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.leave.set()
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()
                server.server_close()

    def asked(self, method: str) -> list[Request]:
        """Requests for content (GET) or about it (HEAD) so far."""
        return [request for request in self.requests if request.method == method]

    def _server(self, content_host: bool) -> ThreadingHTTPServer:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._answer(self, content_host)

            def do_GET(self) -> None:
                hub._answer(self, content_host)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        return server

    def _answer(self, handler: BaseHTTPRequestHandler, content_host: bool) -> None:
        begin = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        token = handler.headers.get("Authorization")
        self.requests.append(Request(str(handler.command), handler.path, begin, token, content_host))
        handler.close_connection = True
        if len(self.requests) > MOST_REQUESTS:
            self._refuse(handler, 400)
        elif content_host:
            self._hand_out(handler, begin)
        elif self.status:
            self._refuse(handler, self.status, self.error)
        elif self.token and token != f"Bearer {self.token}":
            if token is None:
                self._refuse(handler, 401, "GatedRepo")
            else:
                self._refuse(handler, 401, message="Invalid credentials in Authorization header")
        else:
            self._tell(handler)

    def _refuse(self, handler: BaseHTTPRequestHandler, status: int, error: str = "", message: str = "") -> None:
        handler.send_response(status)
        handler.send_header("X-Error-Code", error)
        # A hub that repeats what it was sent: what it says must not be shown as it is.
        handler.send_header("X-Error-Message", message or f"no: {handler.headers.get('Authorization')}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _tell(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        if not self.anonymous:
            handler.send_header("X-Repo-Commit", REVISION)
            handler.send_header("X-Linked-Size", str(len(self.content) if self.size is None else self.size))
            handler.send_header("X-Linked-Etag", f'"{self.sha256 or hashlib.sha256(self.content).hexdigest()}"')
        handler.send_header("Location", f"{self.content_address}/content?signature=secret")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _hand_out(self, handler: BaseHTTPRequestHandler, begin: int) -> None:
        if self.answers and (status := self.answers.pop(0)) != 200:
            self._refuse(handler, status)
            return
        begin = begin if self.ranges else 0
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        handler.send_header("Content-Length", str(len(self.content) - begin))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        end = begin + self.cuts.pop(0) if self.cuts else len(self.content)
        if self.stalled is not None:
            handler.wfile.write(self.content[begin : begin + len(self.content) // 2])
            handler.wfile.flush()
            self.stalled.set()
            self.leave.wait(20)
            return
        handler.wfile.write(self.content[begin:end])
