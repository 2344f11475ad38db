"""The commands `runtime status|offer|install|...`: their options, and what each does.

This module imports nothing beyond the standard library.
"""

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Console
from .errors import InstallError
from .runtime.diagnosis import diagnose
from .runtime.install import Request, install
from .runtime.locked import Lock, load_lock
from .runtime.offer import make_offer
from .runtime.offline import archive_name, make_archive
from .runtime.platforms import PYTHONS, TRIPLES, this_platform
from .runtime.record import Record
from .runtime.state import runtime_state
from .runtime.upkeep import remove, verify
from .weights.disk import in_gigabytes
from .weights.store import data_folder

if TYPE_CHECKING:
    from argparse import _SubParsersAction

VARIABLE = "VGGT_ADDON_RUNTIME"
LOG = "runtime"  # the log of a failed command lies beside the runtime, under this name and .log


def add_commands(subparsers: "_SubParsersAction[argparse.ArgumentParser]", everywhere: argparse.ArgumentParser) -> None:
    """Teach the command line `runtime` and its parts."""
    parser = subparsers.add_parser("runtime", help="the environment that holds torch: install, repair, remove")
    parts = parser.add_subparsers(required=True, metavar="PART")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--runtime-folder", type=Path, metavar="FOLDER", help=f"default: {VARIABLE}, or this user's data folder"
    )
    place.add_argument("--lock", type=Path, metavar="FOLDER", help="for tests: another list of packages")
    place.set_defaults(output=None, log_stem=log_stem)
    build = argparse.ArgumentParser(add_help=False)
    build.add_argument("--backend", default="auto", metavar="BUILD", help="of torch (default: auto, by the driver)")
    making = argparse.ArgumentParser(add_help=False)
    making.add_argument("--archive", type=Path, metavar="FILE", help="install from there, without the network")
    making.add_argument("--python", type=Path, default=Path(sys.executable), help="what it is made from")
    making.add_argument("--offline", action="store_true", help="do not use the network")
    parents = [place, everywhere]

    made_of = [build, making]
    for name, command, more, text in (
        ("status", show_status, [], "what is there"),
        ("offer", show_offer, [build], "what an installation would bring"),
        ("install", install_runtime, made_of, "make it, or bring it up to date"),
        ("verify", verify_runtime, [], "read every file of it, and try the device"),
        ("repair", repair_runtime, made_of, "look into every file, and replace what is damaged"),
        ("remove", remove_runtime, [], "without a trace"),
        ("diagnose", show_diagnosis, [], "a text to copy into a report"),
        ("archive", write_archive, [build], "everything in one file, for a machine without a network"),
    ):
        part = parts.add_parser(name, parents=[*more, *parents], help=text)
        part.set_defaults(command=command)
    part.add_argument("--platform", choices=tuple(TRIPLES), help="default: this one")
    part.add_argument("--for-python", action="append", choices=PYTHONS, metavar="3.X", help="default: 3.11 and 3.13")
    part.add_argument("-o", "--output", type=Path, metavar="ZIP")


def default_folder() -> Path:
    """Where the runtime of the command line is; Blender has its own."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else data_folder() / "runtime"


def log_stem(options: argparse.Namespace) -> Path:
    """What the log of a command without an output is named after."""
    return _folder(options).with_name(LOG)


def show_status(options: argparse.Namespace, console: Console) -> None:
    """What is there; takes milliseconds."""
    folder = _folder(options)
    state = runtime_state(folder, lock_id=_lock(options).id)
    facts = _facts(state.record) if state.record else {}
    program = str(state.python) if state.python else None
    console.result(state.sentence, state=state.condition.value, folder=str(folder), program=program, **facts)


def show_offer(options: argparse.Namespace, console: Console) -> None:
    """What an installation would bring."""
    offer = make_offer(_folder(options), options.backend, _lock(options))
    *sentences, last = offer.sentences
    for sentence in sentences:
        console.say(sentence)
    facts = asdict(offer) | {"folder": str(offer.folder)}
    console.result(last, **facts)


def install_runtime(options: argparse.Namespace, console: Console) -> None:
    """Make it."""
    _make(options, console, repair=False)


def repair_runtime(options: argparse.Namespace, console: Console) -> None:
    """Make it what it should be, and look into every file for that."""
    _make(options, console, repair=True)


def verify_runtime(options: argparse.Namespace, console: Console) -> None:
    """Read every file."""
    record = verify(_folder(options), _lock(options), console.progress, console.cancel)
    state = runtime_state(_folder(options), lock_id=_lock(options).id)
    if record.damaged or not state.usable:
        raise InstallError(state.sentence, ", ".join(record.damaged))
    console.result(state.sentence, **_facts(record))


def remove_runtime(options: argparse.Namespace, console: Console) -> None:
    """Take it away."""
    remove(_folder(options), console.progress, console.cancel)
    console.result("The runtime is removed.", folder=str(_folder(options)))


def show_diagnosis(options: argparse.Namespace, console: Console) -> None:
    """A text, line by line."""
    log = options.log or log_stem(options).with_name(f"{LOG}.log")
    *lines, last = diagnose(_folder(options), online=None, log=log).splitlines()
    for line in lines:
        console.say(line)
    console.result(last)


def write_archive(options: argparse.Namespace, console: Console) -> None:
    """Everything in one file."""
    lock, platform = _lock(options), options.platform or this_platform()
    backend = "cpu" if options.backend == "auto" else options.backend
    path: Path = options.output or Path(archive_name(platform, backend, lock))
    pythons = options.for_python or ["3.11", "3.13"]
    make_archive(path, platform, backend, pythons, lock, console.progress, console.cancel, replace=options.force)
    size = path.stat().st_size
    console.result(f"The archive is in {path}, {in_gigabytes(size)}.", archive=str(path), size=size)


def _make(options: argparse.Namespace, console: Console, *, repair: bool) -> None:
    folder, archive = _folder(options), options.archive
    request = Request(folder, options.python, not options.offline, options.backend, archive, repair, _lock(options))
    record = install(request, console.progress, console.cancel)
    if record.note:
        console.warn(record.note)
    size = in_gigabytes(record.size)
    console.result(f"The runtime is ready in {folder}, {size}, on {record.device.name}.", **_facts(record))


def _facts(record: Record) -> dict[str, Any]:
    return asdict(record)


def _folder(options: argparse.Namespace) -> Path:
    folder: Path | None = options.runtime_folder
    return folder.absolute() if folder else default_folder()


def _lock(options: argparse.Namespace) -> Lock:
    return load_lock(options.lock) if options.lock else load_lock()
