"""One process: its lines, its log, its end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.jobs.launch import Launch
from vggt_addon.jobs.process import ProcessEndedError, WorkerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts below are POSIX")
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def _start(program: str, log: Path | None = None) -> WorkerProcess:
    return WorkerProcess(Launch((sys.executable, "-S", "-c", program), ENVIRONMENT, log))


def _lines(process: WorkerProcess) -> list[bytes]:
    found = []
    try:
        while True:
            if line := process.next_line(5.0):
                found.append(line)
    except ProcessEndedError:
        return found


def test_lines_there_and_back() -> None:
    process = _start("import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)")
    process.send(b"one\ntw")
    process.send(b"o\n")
    assert process.next_line(5.0) == b"ONE\n"
    assert process.next_line(5.0) == b"TWO\n"
    assert process.next_line(0.01) == b""
    process.close_input()
    assert _lines(process) == []
    assert process.kill() == 0 == process.kill()


def test_all_lines_of_a_process_that_has_ended_are_read() -> None:
    process = _start("for number in range(5000): print(number)")
    time.sleep(0.3)
    assert _lines(process) == [b"%d\n" % number for number in range(5000)]
    assert process.kill() == 0


def test_how_it_ended_by_itself_and_by_us() -> None:
    for program, code in (
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ):
        process = _start(program)
        assert _lines(process) == []
        assert process.kill() == code
    process = _start("import time; time.sleep(60)")
    assert process.kill() is None
    process = _start("import os, time; os.close(1); time.sleep(60)")
    assert _lines(process) == []
    assert process.kill() is None


def test_somebody_who_waits_can_be_woken() -> None:
    process = _start("import time; time.sleep(60)")
    process.wake()
    started = time.monotonic()
    assert process.next_line(10.0) == b""
    assert time.monotonic() - started < 1.0
    process.kill()


def test_what_is_not_read_is_not_kept() -> None:
    """The process has to wait, and can be killed while it does."""
    process = _start("while True: print('x' * 1000)")
    time.sleep(0.3)
    started = time.monotonic()
    assert process.kill() is None
    assert time.monotonic() - started < 1.0


def test_children_end_with_it(group_members: Callable[[int], list[int]]) -> None:
    process = _start(
        "import subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; sleep 60; sleep 60'])\n"
        "print('started', flush=True); time.sleep(60)"
    )
    assert process.next_line(5.0) == b"started\n"
    number = process.id
    assert len(group_members(number)) >= 2
    process.kill()
    assert group_members(number) == []


def test_the_last_lines_are_its_own(tmp_path: Path) -> None:
    log = tmp_path / "folder" / "log.txt"
    program = "import sys; print({!r}, file=sys.stderr)"
    for text in ("first", "x" * 10_000 + "second"):
        process = _start(program.format(text), log)
        _lines(process)
        process.kill()
    assert process.last_lines().endswith("second\n") and len(process.last_lines()) == 4000
    assert log.read_text().startswith("first\n")
    process = _start(program.format("third"), log)
    _lines(process)
    process.kill()
    assert process.last_lines() == "third\n"


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"x" * ((1 << 20) + 1))
    process = _start("import sys; print('new', file=sys.stderr)", log)
    _lines(process)
    process.kill()
    assert log.read_text() == "new\n"
    assert (tmp_path / "log.txt.old").stat().st_size == (1 << 20) + 1


def test_no_descriptor_and_no_thread_is_left(group_members: Callable[[int], list[int]]) -> None:
    import threading

    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = (descriptors(), threading.active_count())
    for _ in range(5):
        process = _start("print('x')")
        _lines(process)
        process.kill()
    with pytest.raises(OSError, match="nowhere"):
        WorkerProcess(Launch(("/nowhere/python",), ENVIRONMENT))
    assert (descriptors(), threading.active_count()) == before


def test_writing_to_a_process_that_is_gone_is_no_signal() -> None:
    """Blender 4.3 leaves SIGPIPE as the system has it: it would end Blender."""
    program = (
        "import signal, sys, time\n"
        "from vggt_addon.jobs.launch import Launch\n"
        "from vggt_addon.jobs.process import WorkerProcess\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "script = 'import os, time; os.close(0); print(1, flush=True); time.sleep(60)'\n"
        "process = WorkerProcess(Launch((sys.executable, '-S', '-c', script), {}))\n"
        "assert process.next_line(5.0) == b'1\\n'\n"
        "process.send(b'x' * 100_000)\n"
        "time.sleep(0.3)\n"
        "process.kill()\n"
        "print('lives')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr
