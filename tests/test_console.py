"""What the command line shows, whoever reads it."""

import errno
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vggt_addon.console import SIGNALS, Console, printable

REPOSITORY = Path(__file__).parent.parent


class Terminal(io.StringIO):
    """A stream that somebody looks at; tqdm shows nothing elsewhere."""

    def isatty(self) -> bool:
        return True


def test_progress_bar_shows_stage_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    with Console(as_json=False, verbose=False, log=None) as console:
        monkeypatch.setattr(sys, "stderr", terminal)
        console.progress("Measuring depth", 0.25)
        time.sleep(0.2)
        console.progress("Measuring depth", 0.5)
    text = terminal.getvalue()
    assert "Measuring depth" in text and "left" in text and "50%" in text


def test_ctrl_c_is_given_back() -> None:
    """A script that calls `main` can be stopped afterwards."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with Console(as_json=True, verbose=False, log=None) as console:
        assert signal.getsignal(signal.SIGINT) not in before
        signal.raise_signal(signal.SIGINT)
        assert console.cancel()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_files_name_commands_no_terminal() -> None:
    assert printable("\x1b[2J a\nb \u202e\udcff \u00fc \U0001f600.jpg") == (
        "\\x1b[2J a\\nb \\u202e\\udcff \u00fc \U0001f600.jpg"
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_names_that_are_no_text_are_told(as_json: bool, capfd: pytest.CaptureFixture[str]) -> None:
    name = "100% {x} \x1b\udcff\n.jpg"
    with Console(as_json=as_json, verbose=True, log=None) as console:
        console.say(name)
        console.warn(name)
        console.error(name, name)
        console.result(name, scene=name)
    out, err = capfd.readouterr()
    if as_json:
        told = [json.loads(line) for line in out.splitlines()]
        assert [event["message"] for event in told] == [name] * 4
        assert told[-1]["scene"] == name
    else:
        shown = "100% {x} \\x1b\\udcff\\n.jpg"
        assert out.splitlines() == [shown, shown]
        assert f"Warning: {shown}" in err and f"Error: {shown}" in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_goes_away_cancels() -> None:
    program = (
        "from vggt_addon.console import Console\n"
        "with Console(as_json=True, verbose=False, log=None) as console:\n"
        "    input()\n"
        "    console.say('first'); console.say('second')\n"
        "    raise SystemExit(130 if console.cancel() else 0)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=20) == 130


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_under_the_log_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with Console(as_json=True, verbose=False, log=None) as console:
        logging.getLogger().addHandler(logging.StreamHandler(Full()))
        console.say("a")
    assert capfd.readouterr().err == ""
