"""The weights that the engines know: what they are, who publishes them, and under which terms.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass
from typing import Literal

from ..errors import WeightsError

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class CatalogueEntry:
    """One published file of weights."""

    id: str  # how commands and the store name it; lower case, digits and dashes
    network: Literal["vggt", "dust3r"]
    title: str
    licence: str  # its name
    terms: str  # the gist of the licence in our words; it replaces no reading
    repository: str  # on the hub, as "owner/name"
    file: str  # in the repository
    gated: bool  # whether the publishers ask for consent on their page, and the hub for a token
    size: int  # bytes, about: 4 for each number of the network; the hub states the exact one
    sha256: str | None = None  # of the file, lower-case hex; None: only what the hub states for it is known

    @property
    def page(self) -> str:
        """Where the full licence is, and where consent is given."""
        return f"{HUB}/{self.repository}"


CATALOGUE = (
    CatalogueEntry(
        id="vggt-1b",
        network="vggt",
        title="VGGT, 1.26 billion parameters, as first published",
        licence="CC BY-NC 4.0",
        terms="Not for commercial use. Whoever passes the weights on names their authors and this licence.",
        repository="facebook/VGGT-1B",
        file="model.safetensors",
        gated=False,
        size=5_026_000_000,
    ),
    CatalogueEntry(
        id="vggt-1b-commercial",
        network="vggt",
        title="VGGT, 1.26 billion parameters, for commercial use",
        licence="VGGT License with acceptable-use policy",
        terms="Commercial use is permitted within an acceptable-use policy, which rules out military use among others. "
        "The publishers ask for consent on their page before they hand the file out.",
        repository="facebook/VGGT-1B-Commercial",
        file="vggt_1B_commercial.pt",
        gated=True,
        size=5_026_000_000,
    ),
    CatalogueEntry(
        id="dust3r-512-dpt",
        network="dust3r",
        title="DUSt3R for pictures of 512 pixels, with dense heads",
        licence="CC BY-NC-SA 4.0",
        terms="Not for commercial use. Whoever passes the weights on, changed or not, names their authors and does so "
        "under this same licence. What they were trained on has terms of its own, which the page lists.",
        repository="naver/DUSt3R_ViTLarge_BaseDecoder_512_dpt",
        file="model.safetensors",
        gated=False,
        size=2_285_000_000,
    ),
)


def find_entry(id: str) -> CatalogueEntry:
    """The entry called `id`. Raises WeightsError where there is none."""
    for candidate in CATALOGUE:
        if candidate.id == id:
            return candidate
    known = ", ".join(candidate.id for candidate in CATALOGUE)
    raise WeightsError(f"There are no weights called {id}: choose one of {known}.")
