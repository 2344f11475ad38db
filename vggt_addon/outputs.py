"""Whether a command may write where it was told to: asked before any work, since the work takes minutes.

This module imports nothing beyond the standard library and numpy.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from .errors import OutputExistsError, UserError
from .reconstruction_files import is_replaceable


def check_outputs(
    files: Iterable[Path | None], capture: Path | None = None, *, force: bool, inputs: Iterable[Path] = ()
) -> None:
    """Raise unless all of `files` and the folder `capture` can be written; those that are None are not asked for.

    `inputs` are the files that the command is about to read; none may be lost, `force` or not. Raises
    OutputExistsError for a name that is taken, UserError for one that no file can have.
    """
    outputs = [path.absolute() for path in [*files, capture] if path is not None]
    for path in outputs:
        _check_place(path)
    for number, path in enumerate(outputs):
        if _on_disk(path) in map(_on_disk, outputs[:number]):
            raise UserError(f"{path} is named for two outputs: give each a name of its own.")
    read = {_on_disk(path) for path in inputs}
    for path in outputs:
        _check_inputs(path, read)
        if path.exists() and not force:
            raise OutputExistsError(f"{path} already exists: choose another name, or overwrite it with --force.")
    for path in outputs:
        if capture is not None and path == capture.absolute():
            if path.exists() and not is_replaceable(path):
                raise OutputExistsError(f"{path} holds something other than a capture and is left as it is.")
        elif path.is_dir():
            raise OutputExistsError(f"{path} is a folder and is left as it is: choose another name.")


def _check_place(path: Path) -> None:
    """The nearest folder above that is there must be one that takes new files."""
    try:
        if not path.name or path.name == "..":
            raise UserError(f"{path} is no name for an output: add the name of a file or a new folder.")
        above = next(folder for folder in path.parents if path.exists() or folder.exists())
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.", repr(error)) from error
    if not above.is_dir():
        raise UserError(f"{path} cannot be written: {above} is a file, not a folder.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{path} cannot be written: the folder {above} is protected. Choose another place.")


def _check_inputs(output: Path, read: set[str]) -> None:
    place = _on_disk(output)
    for path in read:
        if path == place or path.startswith(place + os.sep):
            raise OutputExistsError(
                f"{output} is in use: {Path(path).name} is read from there and would be lost. Choose another name."
            )


def _on_disk(path: Path) -> str:
    """The same text for all names of one file, links followed, and on Windows in one case."""
    return os.path.normcase(os.path.realpath(path))
