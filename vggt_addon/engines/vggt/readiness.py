"""Whether VGGT is the engine to take where the artist named none.

This module imports nothing beyond the standard library; its neighbours import torch.
"""

from collections.abc import Sequence

from ...errors import UserError
from ...photos.photo import Photo
from ...settings import EngineSettings
from ..stored_weights import find_weights
from .engine import prepare
from .plan import fitting_plans


def why_not(photos: Sequence[Photo], settings: EngineSettings) -> str:
    """The reason, in words for the artist, why VGGT would not do for these photos here; empty where it would.

    It would where its weights are there, a GPU is, and the plan fits into its memory. On the processor alone a run
    takes minutes, so there it must be asked for by name.
    """
    try:
        prepared = prepare(photos, settings)
        find_weights("vggt", settings.network.weights, settings.network.weights_folder, prepared.request.dtype)
        if prepared.device.is_cpu:
            return "VGGT's weights are there, but without a GPU it takes minutes: ask for it with --engine vggt."
        fitting_plans(prepared.request, prepared.device)
    except UserError as error:
        return error.sentence
    return ""
