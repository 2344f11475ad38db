"""What an engineer needs to know of a runtime that does not work, as text to copy: no names of people, no passwords.

This module imports nothing beyond the standard library.
"""

import platform
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from .. import __version__
from ..weights.disk import in_gigabytes
from .accelerator import probe
from .layout import Layout
from .sources import Sources, configured
from .state import RuntimeState, runtime_state

LINES = 60  # of the log
_TAIL = 20_000  # bytes
_ONLINE = {True: "on", False: "off", None: "outside of Blender the network is used, unless --offline is said"}


def diagnose(
    folder: Path, *, online: bool | None, log: Path | None = None, more: Mapping[str, str] | None = None
) -> str:
    """Text about this machine, the runtime in `folder`, and the end of `log`; `more` adds lines, as Blender's version.

    `online` is Blender's online access; None outside of Blender.

    Takes up to seconds, since drivers are asked; raises nothing.
    """
    state = runtime_state(folder)
    card = probe()
    facts = {
        "add-on": __version__,
        **(more or {}),
        "system": platform.platform(),
        "processor": platform.machine(),
        "Python": f"{platform.python_version()} {sys.executable}",
        "accelerator": f"{card.kind}: {card.title} {card.note}".strip(),
        "online access": _ONLINE[online],
        "package index": _index(configured()),
        "runtime": f"{state.condition.value}: {state.sentence}",
        **_record(state),
        "folder": f"{folder}, {_free(folder)} free",
        "in the folder": ", ".join(_names(folder)) or "nothing",
    }
    text = "".join(f"{name}: {value}\n" for name, value in facts.items())
    return private(f"{text}\nlog:\n{_last_lines(log)}")


def private(text: str, home: Path | None = None) -> str:
    """`text` without this user's home folder and without names and passwords in addresses."""
    found = str(home or Path.home())
    written = {
        found,
        found.replace("\\", "/"),
        found.replace("\\", "\\\\"),
        quote(found),
        quote(found.replace("\\", "/")),
    }
    for name in sorted(written, key=len, reverse=True):  # as addresses have it, too
        if len(name) > 1:
            text = re.sub(re.escape(name) + r"(?![\w.-])", "~", text, flags=re.IGNORECASE if "\\" in found else 0)
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def _record(state: RuntimeState) -> dict[str, str]:
    record = state.record
    if record is None:
        return {}
    device, size = record.device, in_gigabytes(record.size)
    return {
        "made": f"{record.made}, Python {record.python}, build {record.backend}, {size}",
        "device": f"{device.kind} {device.name}, torch {device.torch} {record.note}".strip(),
        "packages": " ".join(f"{package.name}=={package.version}" for package in record.packages),
        "damaged": " ".join(record.damaged) or "nothing known",
    }


def _index(sources: Sources) -> str:
    return "the user's own" if sources.own else "the public one"


def _free(folder: Path) -> str:
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        return in_gigabytes(shutil.disk_usage(there).free)
    except OSError as error:
        return f"unknown ({error.strerror})"


def _names(folder: Path) -> list[str]:
    layout = Layout(folder)
    try:
        return sorted(path.name for path in layout.folder.iterdir())
    except OSError:
        return []


def _last_lines(log: Path | None) -> str:
    if log is None:
        return "none"
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL, 0))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-LINES:])
    except OSError as error:
        return f"cannot be read ({error.strerror})"
