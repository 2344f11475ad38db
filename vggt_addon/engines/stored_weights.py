"""Which of the stored files a learned engine runs from.

This module imports torch.
"""

from pathlib import Path

import torch

from ..errors import WeightsError
from ..weights.catalogue import CATALOGUE, find_entry
from ..weights.networks import TITLES, Network
from ..weights.store import Store, StoredWeights, default_folder


def find_weights(network: Network, weights: str, folder: str, dtype: torch.dtype) -> StoredWeights:
    """The file of this id, or of the first of the network's in the catalogue that is there.

    A file in half precision is taken where that is what the blocks compute in. Raises WeightsError with a sentence
    where there is none.
    """
    store = Store(Path(folder) if folder else default_folder())
    title = TITLES[network]
    if weights and find_entry(weights).network != network:  # before it is told how to get them
        raise WeightsError(f"{weights} are weights of another network: choose one of {title}'s (see `weights list`).")
    ids = [weights] if weights else [entry.id for entry in CATALOGUE if entry.network == network]
    for id in ids:
        half = store.find(id, "bfloat16" if dtype == torch.bfloat16 else "float16") if dtype.itemsize == 2 else None
        found = half or store.find(id)
        if found:
            return found
    if weights:
        return store.require(weights)
    raise WeightsError(
        f"{title}'s weights are not in {store.folder}: get them with `weights download {ids[0]}`, or give a file that "
        "you have to `weights convert`."
    )
