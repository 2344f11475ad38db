"""Where the folder of a capture lives, and that it comes along when the .blend is saved.

A capture that we look after lies in this user's folder until the .blend has a place, then beside it, in
`<stem>.captures/`. A .blend that is saved under another name gets copies of its own (hard links, where the disk has
them) instead of pointing to the first one's: so each .blend can be moved, passed on or deleted together with its
folder, and rebuilding in one leaves the other alone. Nothing here deletes a capture, so that undo, and older versions
of the .blend, find theirs.
This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour folders.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from .folders import abandoned, beside, capture_id, copy_capture, folder_beside, is_capture, same_capture
from .images import blend_path

__all__ = ["abandoned", "adopt", "after_save", "before_save", "capture_folder", "folder_beside", "used_folders"]
FOLDER = "capture_folder"  # custom property of the root: the folder, "//..." where the .blend is saved on that drive
ABSOLUTE = "capture_folder_absolute"  # the same as an absolute path, for a root that was appended to another .blend
OURS = "capture_folder_ours"  # whether it comes along with the .blend, or is the artist's own and only referred to


@dataclass
class _Saving:
    """What was changed for a file about to be written, so that saving a copy leaves the session as it was."""

    blend: Path
    properties: list[tuple[bpy.types.Object, dict[str, str]]] = field(default_factory=list)
    pictures: list[tuple[bpy.types.Image, str]] = field(default_factory=list)


_saving: list[_Saving] = []  # the one under way, if any


def adopt(folder: Path, root: bpy.types.Object, *, ours: bool = True) -> None:
    """Say on `root` that its capture lies in `folder`; `ours`: it is to come along when the .blend is saved."""
    root[FOLDER] = blend_path(folder.absolute())
    root[ABSOLUTE] = str(folder.absolute())
    root[OURS] = ours


def capture_folder(root: bpy.types.Object) -> Path | None:
    """Where the capture lies, or should lie; None where the root does not say. Nothing is read but its first lines."""
    candidates = []
    for key in (FOLDER, ABSOLUTE):
        text = root.get(key)
        if isinstance(text, str) and text and "\0" not in text:
            path = Path(os.path.normpath(bpy.path.abspath(text, library=root.library)))
            candidates += [path] if path.is_absolute() else []
    there = [path for path in candidates if is_capture(path)]
    same = [path for path in there if capture_id(path) == root.get("capture_id")]
    return next(iter([*same, *there, *candidates]), None)


def used_folders() -> set[Path]:
    """The folders that captures of this file lie in, whichever scene they are in."""
    return {folder for root in _roots() if (folder := capture_folder(root)) is not None}


def before_save(filepath: Path | str) -> tuple[str, ...]:
    """Blender is about to write `filepath`: captures that we look after get a folder beside it. For save_pre.

    Never raises for what a disk refuses: such a capture stays where it is, and a sentence says so.
    """
    blend = Path(filepath).absolute()
    saving = _Saving(blend)
    _saving[:] = [saving]
    by_folder: dict[tuple[Path, bool], list[bpy.types.Object]] = {}
    for root in _roots():
        folder = capture_folder(root)
        if folder is not None:
            by_folder.setdefault((folder, root.get(OURS) is True and is_capture(folder)), []).append(root)
    warnings = []
    for (folder, comes_along), roots in by_folder.items():
        home = folder
        try:
            home = _brought(folder, blend, roots[0].name) if comes_along else folder
        except OSError as error:
            warnings.append(
                f"The capture {roots[0].name} could not be copied beside {blend.name}: {error.strerror or error}. "
                f"It stays in {folder}, and the scene keeps working on this machine."
            )
        _point_to(home, roots, saving)
        _move_pictures(folder, home, saving)
    return tuple(warnings)


def after_save(filepath: Path | str) -> None:
    """Blender has written `filepath`. If that was a copy, what the session points to is as before. For save_post."""
    saving = _saving.pop() if _saving else None
    if saving is None or (bpy.data.filepath and Path(bpy.data.filepath) == Path(filepath).absolute()):
        return
    for root, properties in saving.properties:
        for key, value in properties.items():
            root[key] = value
    for picture, path in saving.pictures:
        picture.filepath_raw = path


def _roots() -> list[bpy.types.Object]:
    return [thing for thing in bpy.data.objects if "capture_id" in thing and thing.library is None]


def _brought(folder: Path, blend: Path, name: str) -> Path:
    """The capture's folder beside `blend`: the one that it has, the same one that an earlier save put there, or a
    copy. Raises OSError."""
    home = beside(blend)
    if _same_place(folder.parent, home):
        return folder
    for there in sorted(home.iterdir()) if home.is_dir() else ():
        if not there.is_symlink() and same_capture(there, folder):
            return there
    # What leaves this user's folder is not used any more; what leaves another .blend's belongs to that one.
    elsewhere = folder.parent.name.endswith(".captures")
    return copy_capture(folder, folder_beside(blend, name), link_pictures=not elsewhere)


def _point_to(home: Path, roots: list[bpy.types.Object], saving: _Saving) -> None:
    try:
        relative = f"//{Path(os.path.relpath(home, saving.blend.parent)).as_posix()}"
    except ValueError:  # another drive on Windows
        relative = str(home)
    for root in roots:
        saving.properties.append((root, {key: root[key] for key in (FOLDER, ABSOLUTE) if key in root}))
        root[FOLDER], root[ABSOLUTE] = relative, str(home)


def _move_pictures(old: Path, new: Path, saving: _Saving) -> None:
    """Let images that lie in `old` be those in `new`: the same pictures, so nothing is read again.

    Paths are told from where the session is: Blender itself makes them relative to the file it writes.
    """
    if old == new:
        return
    for image in bpy.data.images:
        if image.source != "FILE" or image.library is not None or not image.filepath:
            continue
        path = Path(os.path.normpath(bpy.path.abspath(image.filepath)))
        if path.is_relative_to(old) and (new / path.relative_to(old)).is_file():
            saving.pictures.append((image, image.filepath_raw))
            image.filepath_raw = blend_path(new / path.relative_to(old))


def _same_place(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
