"""The folder that holds an artist's weights.

    ID.safetensors              the weights as published, in their own dtype, and whence they came
    ID.bfloat16.safetensors     the same with the matrices of the blocks in half precision; likewise float16
    .ID.lock                    one run at a time writes what belongs to ID
    .ID.SHA256.part             a download that has begun
    .ID.…safetensors-…          a file being written; one of a run that was killed is removed by the next

A file under a plain name is always whole: it was written under another, flushed, and renamed. This module imports
nothing beyond the standard library.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..errors import Cancelled, WeightsError
from ..progress import Cancel, Progress, no_progress
from .catalogue import CatalogueEntry, find_entry
from .disk import unwritable
from .file_lock import file_lock

Precision = Literal["source", "bfloat16", "float16"]  # source: as published
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
VARIABLE = "VGGT_ADDON_WEIGHTS"
LONGEST_LIST = 4_000_000  # bytes of a file's list of contents; see safetensors_file.py


@dataclass(frozen=True)
class StoredWeights:
    """A file in the store."""

    entry: CatalogueEntry
    precision: Precision
    path: Path
    size: int  # bytes
    source: str  # the file that it was made from, in words
    sha256: str  # of that file, lower-case hex: what identifies these weights
    licence: str  # as it was when the file was made

    @property
    def record(self) -> dict[str, str]:
        """What a Reconstruction made with these weights says of them."""
        return {"name": self.entry.id, "sha256": self.sha256, "licence": self.licence}


@dataclass(frozen=True)
class Store:
    """The store in `folder`, which need not exist yet."""

    folder: Path

    def path(self, entry: CatalogueEntry, precision: Precision = "source") -> Path:
        """Where the file is, or would be."""
        kind = "" if precision == "source" else f".{precision}"
        return self.folder / f"{entry.id}{kind}.safetensors"

    def part(self, entry: CatalogueEntry, sha256: str) -> Path:
        """Where a download of the file with this sha256 begins."""
        return self.folder / f".{entry.id}.{sha256}.part"

    def find(self, id: str, precision: Precision = "source") -> StoredWeights | None:
        """What is stored of `id`, if it is. A half-precision file counts only beside or without what it was made from.

        Raises WeightsError where there is no such entry, or the file is damaged or of another making.
        """
        entry = find_entry(id)
        found = self._read(entry, precision)
        if found and precision != "source":
            source = self._read(entry, "source")
            return found if source is None or source.sha256 == found.sha256 else None
        return found

    def require(self, id: str, precision: Precision = "source") -> StoredWeights:
        """As `find`; raises WeightsError also where nothing is stored."""
        found = self.find(id, precision)
        if found is None and precision != "source" and self.find(id):
            raise WeightsError(
                f"{id} is not in {self.folder} in {precision}: make it with `weights convert {id} "
                f"--precision {precision}`."
            )
        if found is None:
            raise WeightsError(
                f"{id} is not in {self.folder}: get it in the add-on's preferences or with `weights download {id}`, or "
                "give a file that you have (`weights convert`)."
            )
        return found

    @contextmanager
    def writing(self, entry: CatalogueEntry, progress: Progress, cancel: Cancel) -> Iterator[None]:
        """The right to write what belongs to `entry`, as long as the block lasts; waits while another run has it.

        What killed runs have left is removed, but for begun downloads. Raises Cancelled, and WeightsError where the
        folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = file_lock(self.folder / f".{entry.id}.lock", progress, cancel)
                if stack.enter_context(lock):  # so whatever has a temporary name was left behind
                    for left in self.folder.glob(f".{entry.id}.*safetensors-*"):
                        left.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(self.folder, error) from error
            yield

    def remove(self, entry: CatalogueEntry) -> None:
        """Delete what is stored of `entry`, and begun downloads of it. Does not wait.

        Raises WeightsError where another run is writing it, or it cannot be deleted.
        """
        try:
            with self.writing(entry, no_progress, lambda: True):
                paths = [self.path(entry, precision) for precision in PRECISIONS]
                for path in (*paths, *self.folder.glob(f".{entry.id}.*.part")):
                    path.unlink(missing_ok=True)
        except Cancelled as error:
            raise WeightsError(f"{entry.id} is being written at this moment: wait for that, or cancel it.") from error
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def drop_halves_of_others(self, entry: CatalogueEntry) -> None:
        """Remove the half-precision files that were made from other weights than those stored now."""
        for precision in PRECISIONS[1:]:
            try:
                stale = self.find(entry.id, precision) is None
            except WeightsError:
                continue  # not ours, or damaged: whoever asks for it is told
            if stale:
                self.path(entry, precision).unlink(missing_ok=True)

    def _read(self, entry: CatalogueEntry, precision: Precision) -> StoredWeights | None:
        path = self.path(entry, precision)
        found = _metadata(path)
        if found is None:
            return None
        size, metadata = found
        if metadata.get("network") != entry.network or not {"source", "source_sha256", "licence"} <= metadata.keys():
            raise WeightsError(
                f"{path} was not made by `weights convert`: move it elsewhere, and convert it from there."
            )
        values = (metadata[key] for key in ("source", "source_sha256", "licence"))
        return StoredWeights(entry, precision, path, size, *values)


def default_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the weights are unless the artist says otherwise: the variable VGGT_ADDON_WEIGHTS, or the user's data."""
    if chosen := environment.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    return data_folder(environment, platform) / "weights"


def data_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """What is ours among this user's data, outside of any Blender."""
    if platform == "win32":
        local = environment.get("LOCALAPPDATA")
        data = Path(local) if local else Path.home() / "AppData" / "Local"
    elif platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(environment.get("XDG_DATA_HOME", ""))
        data = data if data.is_absolute() else Path.home() / ".local" / "share"  # as its specification asks
    return data / "vggt_addon"


def _metadata(path: Path) -> tuple[int, dict[str, str]] | None:
    """Size in bytes and metadata of a safetensors file; None where there is no file."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for, and no signal ends that
            raise WeightsError(f"{path} is no file of weights: move it elsewhere.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            contents = json.loads(file.read(min(length, LONGEST_LIST)))
        metadata = contents.pop("__metadata__", {})
        end = 8 + length + max((entry["data_offsets"][1] for entry in contents.values()), default=0)
        sound = end == size and all(isinstance(value, str) for value in metadata.values())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.", repr(error)) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _damaged(path, repr(error)) from error
    if not sound:
        raise _damaged(path, f"{size} bytes; its list of contents accounts for {end}")
    return size, metadata


def _damaged(path: Path, detail: str) -> WeightsError:
    return WeightsError(f"{path} is damaged: delete it, then download or convert the weights again.", detail)
