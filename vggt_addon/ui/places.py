"""Where things of this user lie, and what the add-on is called in this Blender.

This module imports bpy beyond the standard library.
"""

import logging
import os
import sys
import tempfile
import uuid
from pathlib import Path

import bpy

from ..errors import UserError

logger = logging.getLogger(__name__)

_SUFFIX = ".vggt_addon.ui"
# "bl_ext.<repository>.vggt_addon" when installed; run from source there is no add-on around the package.
ADDON = (__package__ or "").removesuffix(_SUFFIX) if (__package__ or "").endswith(_SUFFIX) else "vggt_addon"
PYTHON_VARIABLE = "VGGT_ADDON_PYTHON"  # for developers: the Python that runs the worker


def user_folder(name: str, *, create: bool = True) -> Path:
    """The folder `name` of ours among this user's files; an update of the extension leaves it alone.

    Raises UserError where it is to be made and cannot be written.
    """
    if ADDON.startswith("bl_ext."):
        found = bpy.utils.extension_path_user(ADDON, path=name)
    else:
        found = bpy.utils.user_resource("DATAFILES", path=f"vggt_addon/{name}")
    # Made here: Blender's own way has none where another Blender makes it at the same moment.
    if not found or (create and not _made(Path(found))):
        among = found or bpy.utils.resource_path("USER")
        raise UserError(f"Nothing can be written to your own files of Blender in {among}: make that folder writable.")
    return Path(found)


def _made(folder: Path) -> bool:
    """Whether `folder` is there now and can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.warning("%s cannot be made: %r", folder, error)
        return False
    return os.access(folder, os.W_OK)


def job_folder() -> Path:
    """A new folder for one job. Raises UserError."""
    folder = user_folder("jobs") / uuid.uuid4().hex
    try:
        folder.mkdir()
    except OSError as error:
        raise UserError(f"Nothing can be written to {folder.parent}: {error.strerror}.", repr(error)) from error
    return folder


def session_folder() -> Path:
    """A folder that Blender removes when it quits."""
    return Path(tempfile.mkdtemp(prefix="vggt_addon-", dir=bpy.app.tempdir or None))


def log_file(*, create: bool = True) -> Path:
    """What the worker and we write down; in Blender's temporary folder where this user's cannot be written."""
    try:
        return user_folder("log", create=create) / "log.txt"
    except UserError:
        return Path(bpy.app.tempdir or tempfile.gettempdir()) / "vggt_addon-log.txt"


def named_python(preferred: str) -> Path | None:
    """The Python that the preferences name, or the environment; None where neither does."""
    named = preferred or os.environ.get(PYTHON_VARIABLE, "")
    return Path(named) if named else None


def runtime_folder() -> Path | None:
    """Where the private runtime is or would be; None where there are no files of this user."""
    try:
        return user_folder("runtime", create=False)
    except UserError:
        return None


def learned_python(preferred: str) -> Path | None:
    """The Python with the learned engines' libraries: as the preferences say, or the environment, or the runtime's."""
    from ..runtime.state import worker_python as runtime_python

    folder = runtime_folder()
    return named_python(preferred) or (runtime_python(folder) if folder else None)


def blenders_python() -> Path:
    """The program of Blender's own Python, where it should be: whoever starts it sees whether it is there.

    `sys.executable` names it. A Blender that did not find it names itself there, and would open a second window.
    """
    if sys.executable and Path(sys.executable).stem.lower().startswith("python"):
        return Path(sys.executable)
    version = "{}.{}".format(*sys.version_info[:2])
    return Path(sys.prefix) / "bin" / ("python.exe" if os.name == "nt" else f"python{version}")


def worker_libraries(python: Path) -> tuple[Path, ...]:
    """Where `python` finds the libraries of the extension beyond its own.

    Blender unpacks the wheels of all extensions into one folder per version of its Python, the same on every system
    (4.2 to 5.2: `_extension_sync_wheels` in its addon_utils.py); they fit no other Python.
    """
    if not ADDON.startswith("bl_ext.") or python != blenders_python():
        return ()
    version = "python{}.{}".format(*sys.version_info[:2])
    return (Path(bpy.utils.user_resource("EXTENSIONS")) / ".local" / "lib" / version / "site-packages",)
