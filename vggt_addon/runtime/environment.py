"""An environment of its own for a Python that is there: made, filled, and tried; nothing here is of Blender's.

This module imports nothing beyond the standard library.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError, InstallError
from ..jobs.schema import from_json
from ..progress import Cancel
from .accelerator import NONE, probe
from .children import NotStartedError, run
from .failures import UNEXPLAINED
from .layout import Layout, clear, packages_of, python_of
from .locked import Lock
from .platforms import PYTHONS
from .record import Device
from .tool import Tool
from .uv_tool import UvTool

logger = logging.getLogger(__name__)

NO_DEVICE = Device("", "", 0, "")
_ASK = "import json, sys; print(json.dumps(list(sys.version_info[:3])))"


@dataclass(frozen=True)
class Interpreter:
    """A Python, and its version."""

    program: Path
    version: str  # "3.11.9"

    @property
    def minor(self) -> str:
        """ "3.11": what wheels are made for."""
        return ".".join(self.version.split(".")[:2])


def ask(program: Path, environment: Mapping[str, str], folder: Path, cancel: Cancel) -> Interpreter:
    """The Python `program`. Raises InstallError where it does not run, Cancelled."""
    try:
        return _asked(program, environment, folder, cancel)
    except NotStartedError as error:
        raise InstallError(
            f"{program} cannot be run, so nothing was installed: install Blender again, or name another Python.",
            repr(error),
        ) from error


def create(
    base: Interpreter, place: Path, environment: Mapping[str, str], layout: Layout, tool: "ToolSource", cancel: Cancel
) -> Interpreter:
    """An empty environment of `base` in `place`: by its own `venv`, else by the tool, else of a Python that uv fetches.

    Only what speaks of this Python leads on to the next way: a full disk is one with any. Raises InstallError,
    Cancelled.
    """
    ways: list[Callable[[], object]] = []
    if base.minor in PYTHONS:
        own = [str(base.program), "-I", "-m", "venv", "--without-pip", str(place)]
        ways.append(lambda: run(own, environment, layout.folder, cancel))
        ways.append(lambda: tool.needed().create(base.program, place, cancel))
    for way in ways:
        try:
            way()
            return _asked(python_of(place), environment, layout.folder, cancel)
        except (NotStartedError, InstallError) as error:
            logger.warning("no environment by %s: %r %s", base.program, error, getattr(error, "detail", ""))
            clear(place)
            if isinstance(error, InstallError) and error.sentence != UNEXPLAINED:
                raise
    if tool.online and isinstance(found := tool.get(), UvTool):
        found.create(found.managed_python(layout.python, cancel), place, cancel)
        return ask(python_of(place), environment, layout.folder, cancel)
    raise InstallError(
        f"No environment can be made with the Python {base.version} of this Blender, so nothing was installed: allow "
        "online access, so that another Python can be fetched, or use Blender 4.2 to 5.2."
    )


def _asked(program: Path, environment: Mapping[str, str], folder: Path, cancel: Cancel) -> Interpreter:
    """As `ask`; raises NotStartedError where it does not run or answers nonsense."""
    told = run([str(program), "-I", "-c", _ASK], environment, folder, cancel)
    try:
        return Interpreter(program, ".".join(str(int(number)) for number in json.loads(told)))
    except (ValueError, TypeError) as error:
        raise NotStartedError(f"{program} says {told[:200]!r}") from error


def try_device(python: Path, environment: Mapping[str, str], lock: Lock, cancel: Cancel) -> tuple[Device, str]:
    """Where torch computes in the environment of `python`, and what the artist should know of that, or "".

    Raises InstallError where it does not compute at all, Cancelled.
    """
    if not lock.torch:
        return NO_DEVICE, ""
    program = Path(__file__).with_name("device_check.py")
    try:
        told = json.loads(run([str(python), "-I", "-B", str(program)], environment, python.parent, cancel))
        device, trouble = from_json(Device, told["device"], "device"), str(told["trouble"])
    except (InstallError, NotStartedError, FormatError, ValueError, KeyError, TypeError) as error:
        raise InstallError(
            "PyTorch cannot be started on this machine: on Windows install Microsoft's Visual C++ Redistributable and "
            "try again, elsewhere send the diagnosis.",
            f"{error!r} {getattr(error, 'detail', '')}",
        ) from error
    if trouble and device.kind == "cpu":
        raise InstallError("PyTorch computes wrongly on this machine's processor: send the diagnosis.", trouble)
    if trouble:
        logger.warning("%s: %s", device, trouble)
        return device, f"{device.name} does not compute ({trouble}): update its driver, or run on the processor."
    found = probe() if device.kind == "cpu" else NONE
    if found.kind == "none":
        return device, ""
    return device, f"PyTorch does not use {found.name}, so runs take place on the processor: update its driver."


def site_of(place: Path) -> Path:
    """Where packages go. Raises InstallError."""
    site = packages_of(place)
    if site is None:
        raise InstallError(f"{place} holds no environment: try again.")
    return site


class ToolSource:
    """The tool, got when it is first needed: a repair may need none."""

    def __init__(self, get: Callable[[], Tool], online: bool) -> None:
        self._get, self.online = get, online
        self._tool: Tool | None = None

    def get(self) -> Tool:
        """Raises InstallError, Cancelled."""
        if self._tool is None:
            self._tool = self._get()
        return self._tool

    def needed(self) -> Tool:
        """As `get`; raises NotStartedError where there is none and none may be fetched."""
        try:
            return self.get()
        except InstallError as error:
            if self.online:
                raise
            raise NotStartedError(f"no tool is there: {error!r}") from error
