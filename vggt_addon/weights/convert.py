"""A checkpoint becomes a file of the store, and that one a half-precision one beside it.

This module imports torch, the standard library and nothing else.
"""

from pathlib import Path

import torch

from ..errors import OutputExistsError, WeightsError
from ..progress import Cancel, Progress, never, no_progress, span
from .catalogue import CATALOGUE, CatalogueEntry
from .checkpoint import Checkpoint, is_plain, open_checkpoint
from .disk import hash_file
from .file_reader import FileReader, FileState, file_state
from .networks import halved_names, recognise
from .saving import save_checkpoint
from .store import PRECISIONS, Precision, Store, StoredWeights

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def convert_file(
    path: Path,
    store: Store,
    entry: CatalogueEntry | None = None,
    *,
    replace: bool = False,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> StoredWeights:
    """Put a file that the artist has into the store, as `entry`; None: as the strictest licensed of its network.

    A file that is stored already stays as it is. Raises WeightsError where the file is not such weights or the disk
    refuses, OutputExistsError where others are stored as `entry` and `replace` is not set, Cancelled.
    """
    checkpoint = open_checkpoint(path)
    found = recognise(checkpoint)
    entry = entry or next(candidate for candidate in CATALOGUE if candidate.network == found.network)
    if found.network != entry.network:
        raise WeightsError(f"{path} holds the weights of {found.title}, not of {entry.id}: choose another file.")
    if any(_is_one_file(path, store.path(entry, precision)) for precision in PRECISIONS):
        raise WeightsError(f"{path} is itself in the store: choose the file that was downloaded.")
    state = file_state(path)
    sha256 = hash_file(path, span(progress, 0.0, 0.2), cancel)
    with store.writing(entry, progress, cancel):
        stored = None if replace else store.find(entry.id)
        if stored and stored.sha256 == sha256:
            return stored
        if stored:
            raise OutputExistsError(
                f"{entry.id} is already stored, from {stored.source}: say that it is to be replaced (--force), if you "
                "mean that."
            )
        source = f"the file {path.name}" if is_plain(path.name) else "a file"
        write_source(checkpoint, store, entry, source, sha256, span(progress, 0.2, 1.0), cancel, state)
    return store.require(entry.id)


def write_source(
    checkpoint: Checkpoint,
    store: Store,
    entry: CatalogueEntry,
    source: str,
    sha256: str,
    progress: Progress,
    cancel: Cancel,
    unchanged_since: FileState | None = None,
) -> None:
    """Write `checkpoint` into the store in its own dtype; `store.writing` must be held. Raises as `convert_file`.

    `sha256` is of its file as it was when its state was `unchanged_since`.
    """
    metadata = {"format": "pt", "network": entry.network, "source": source, "source_sha256": sha256}
    metadata["licence"] = entry.licence

    with FileReader(checkpoint, unchanged_since) as reader:
        save_checkpoint(
            store.path(entry), checkpoint.tensors, metadata, slices=reader.slices, progress=progress, cancel=cancel
        )
    store.drop_halves_of_others(entry)


def derive(
    store: Store, id: str, precision: Precision, *, progress: Progress = no_progress, cancel: Cancel = never
) -> StoredWeights:
    """The stored weights with the matrices of the blocks in half precision, made unless it is there.

    Raises WeightsError where `id` is not stored, a number is too large for float16, or the disk refuses; Cancelled.
    """
    entry = store.require(id).entry
    with store.writing(entry, progress, cancel):
        if found := store.find(id, precision):
            return found
        stored = store.require(id)
        checkpoint = open_checkpoint(stored.path)
        halved = halved_names(entry.network, HALVES[precision])
        dtypes = {name: HALVES[precision] if name in halved else torch.float32 for name in checkpoint.tensors}
        with FileReader(checkpoint) as reader:
            save_checkpoint(
                store.path(entry, precision),
                checkpoint.tensors,
                checkpoint.metadata,
                dtypes=dtypes,
                slices=reader.slices,
                progress=progress,
                cancel=cancel,
            )
    return store.require(id, precision)


def _is_one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except FileNotFoundError:
        return False
