"""A worker gets weights: from those who published them, or from a file that the artist has.

This module imports nothing beyond the standard library; the weights' room, which needs torch, only inside the function.
"""

from pathlib import Path

from ..progress import Cancel, Progress
from .protocol import Done, GetWeights


def get_weights(job: GetWeights, progress: Progress, cancel: Cancel) -> Done:
    """Do it; a download that was begun goes on where it ended.

    Raises WeightsError with a sentence, ImportError where this Python lacks the libraries, Cancelled on request.
    """
    from ..weights.catalogue import find_entry
    from ..weights.convert import convert_file
    from ..weights.download import download, find_token
    from ..weights.store import Store, default_folder

    entry, store = find_entry(job.weights), Store(default_folder())
    if job.file:
        convert_file(Path(job.file), store, entry, replace=job.replace, progress=progress, cancel=cancel)
    else:
        asks = entry.gated or bool(job.token_file)  # whoever needs no token is sent none
        token = find_token(Path(job.token_file) if job.token_file else None) if asks else None
        download(entry, store, token=token, replace=job.replace, progress=progress, cancel=cancel)
    return Done(job.job, "")
