"""What a look at this machine finds for the learned engines; see `findings`, which lets a thread look.

This module imports nothing beyond the rooms runtime and weights.
"""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..runtime.offer import Offer, make_offer
from ..runtime.state import RuntimeState, runtime_state
from ..weights.catalogue import CATALOGUE, CatalogueEntry
from ..weights.store import Store, StoredWeights, default_folder


@dataclass(frozen=True)
class FoundWeights:
    """One entry of the catalogue, and how it stands."""

    entry: CatalogueEntry
    stored: StoredWeights | None  # None where it is not here
    problem: str  # a sentence where what is stored cannot be used


@dataclass(frozen=True)
class Findings:
    """All of it, at one moment."""

    runtime: RuntimeState
    offer: Offer | None  # what installing would bring; None where nothing can be installed
    refusal: str  # then a sentence that says why
    weights: tuple[FoundWeights, ...]


def look(runtime_folder: Path, weights_folder: str) -> Findings:
    """Find out; takes up to seconds, since drivers are asked. `weights_folder` "": this user's own place."""
    store = Store(Path(weights_folder) if weights_folder else default_folder())
    offer, refusal = None, ""
    try:
        offer = make_offer(runtime_folder)
    except UserError as error:
        refusal = error.sentence
    weights = tuple(_found(store, entry) for entry in CATALOGUE)
    return Findings(runtime_state(runtime_folder), offer, refusal, weights)


def _found(store: Store, entry: CatalogueEntry) -> FoundWeights:
    try:
        return FoundWeights(entry, store.find(entry.id), "")
    except UserError as error:
        return FoundWeights(entry, None, error.sentence)
