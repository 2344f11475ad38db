"""Weights from their publishers into the store: fetched, checked, opened with all care, converted.

A begun download stays beside the store's files until it is done, whatever ended it. This module imports torch, the
standard library and, inside its functions, huggingface_hub.
"""

import re
import shutil
from pathlib import Path

from ..errors import OutputExistsError, WeightsError
from ..progress import Cancel, Progress, check, never, no_progress, span
from .background import Watch, in_background
from .catalogue import HUB, CatalogueEntry
from .checkpoint import open_checkpoint
from .convert import write_source
from .disk import check_space, hash_file, in_gigabytes, unwritable
from .file_reader import file_state
from .hub import fetch, look_up
from .hub_errors import explained
from .networks import recognise
from .store import Store, StoredWeights

LONGEST_TOKEN = 500  # characters
TOKEN = re.compile(f"[A-Za-z0-9_.-]{{1,{LONGEST_TOKEN}}}")


def download(
    entry: CatalogueEntry,
    store: Store,
    *,
    token: str | None = None,
    keep: Path | None = None,
    replace: bool = False,
    endpoint: str | None = None,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> StoredWeights:
    """Fetch `entry` from the hub (of HF_ENDPOINT, unless `endpoint` is given) into the store; nothing if it is there.

    `token` is the artist's for the hub, as `find_token` has it; `keep` is where the file as published goes in the end.
    The licence must have been accepted. Raises WeightsError with a sentence for whatever fails: the begun download is
    kept, and the next call goes on with it, unless what arrived is not what the hub promised. Raises Cancelled.
    """
    with store.writing(entry, progress, cancel):
        stored = None if replace else store.find(entry.id)
        if stored:
            return stored
        if keep is not None and keep.exists() and not replace:
            raise OutputExistsError(f"{keep} already exists: choose another name.")
        part, source, sha256 = _fetched(entry, store, token, endpoint, span(progress, 0.0, 0.8), cancel)
        state = file_state(part)
        if hash_file(part, span(progress, 0.8, 0.85), cancel) != sha256:
            part.unlink()
            raise WeightsError(
                f"What arrived of {entry.id} is not what {entry.page} promises, and was deleted: download it again. "
                "If that happens twice, something between the hub and this machine changes it."
            )
        try:
            checkpoint = open_checkpoint(part)
            found = recognise(checkpoint)
        except WeightsError:
            part.unlink()  # to fetch the same again would not help; a file that is replaced has another sha256
            raise
        if found.network != entry.network:
            part.unlink()
            raise WeightsError(f"What {entry.page} offers is not {entry.id} but {found.title}, and was deleted.")
        write_source(checkpoint, store, entry, source, sha256, span(progress, 0.85, 1.0), cancel, state)
        del checkpoint  # Windows neither moves nor deletes what is mapped
        _put_away(part, keep)
    return store.require(entry.id)


def find_token(file: Path | None) -> str | None:
    """The artist's token for the hub: in `file`, else in HF_TOKEN or where `hf auth login` has put it; None if nowhere.

    Raises WeightsError where the file holds none, or what is found cannot be one; no message shows it.
    """
    if file is None:
        from huggingface_hub import get_token

        token, place = get_token(), "HF_TOKEN, or what `hf auth login` has saved,"
        if token is None:
            return None
    else:
        place = str(file)
        try:
            with file.open("rb") as opened:
                token = opened.read(LONGEST_TOKEN + 10).decode("ascii", "replace").strip()
        except OSError as error:
            raise WeightsError(f"The token could not be read from {file}: {error.strerror or error}.") from error
    if not TOKEN.fullmatch(token):  # anything else would be shown by the error of whoever puts it into a request
        raise WeightsError(f"{place} does not hold a token: it should be one line, made at {HUB}/settings/tokens.")
    return token


def _fetched(
    entry: CatalogueEntry, store: Store, token: str | None, endpoint: str | None, progress: Progress, cancel: Cancel
) -> tuple[Path, str, str]:
    """The whole file with whatever content, the words for where it is from, and the sha256 that it should have."""
    try:
        import huggingface_hub  # noqa: F401 - whether it is there is what is asked
    except ImportError as error:
        raise WeightsError(
            f"Downloading needs the Python package huggingface_hub: install it, or download {entry.file} from "
            f"{entry.page} by hand and use that file (preferences, or `weights convert`).",
            repr(error),
        ) from error

    def work(watch: Watch) -> tuple[Path, str, str]:
        watch.stage = "Asking the hub"
        file = look_up(entry, token, endpoint)
        if entry.sha256 not in (None, file.sha256):
            raise WeightsError(
                f"{entry.page} offers another file than the one known as {entry.id}: look there whether there is news, "
                "and update this add-on."
            )
        part = store.part(entry, file.sha256)
        for other in store.folder.glob(f".{entry.id}.*.part"):
            if other != part and not watch.stop.is_set():
                other.unlink(missing_ok=True)  # of a revision that is no longer offered
        if part.is_symlink() or (part.exists() and not part.is_file()):
            part.unlink()  # in a folder that many share, a link would have the download written over another file
        begun = part.stat().st_size if part.exists() else 0
        check_space(store.folder, 2 * file.size - begun)
        watch.fraction = begun / file.size
        watch.stage = f"Downloading {in_gigabytes(file.size)}"
        fetch(file, part, token, watch)
        return part, f"{entry.repository}/{entry.file} of revision {file.revision}", file.sha256

    try:
        part, source, sha256 = in_background(work, progress, cancel)
    except Exception as error:
        raise explained(error, entry, token, endpoint, store.folder) from error
    check(cancel)
    return part, source, sha256


def _put_away(part: Path, keep: Path | None) -> None:
    """The file as published goes to `keep`, or away."""
    try:
        if keep is None:
            part.unlink()
        else:
            keep.parent.mkdir(parents=True, exist_ok=True)
            keep.unlink(missing_ok=True)
            shutil.move(part, keep)  # perhaps to another disk
    except OSError as error:
        raise unwritable(keep or part, error) from error
