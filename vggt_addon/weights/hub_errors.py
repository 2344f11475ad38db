"""What to say of a download that failed, and what to do about it.

This module imports the standard library and, inside its function, huggingface_hub.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UserError, WeightsError
from .catalogue import HUB, CatalogueEntry
from .disk import unwritable
from .hub import PASSING, NoHubError, network_error

AGAIN = "What has arrived is kept: try again later, and the download goes on from there"
TOKENS = f"{HUB}/settings/tokens"


def explained(
    error: Exception, entry: CatalogueEntry, token: str | None, endpoint: str | None, folder: Path
) -> Exception:
    """`error`, met while `entry` was downloaded into `folder`, as a WeightsError; itself if it is none of the known.

    The token stands in no message and no detail.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    detail = f"{type(error).__name__}: {error}"
    detail = detail.replace(token, "(token)") if token else detail
    host = urlsplit(endpoint or os.environ.get("HF_ENDPOINT") or HUB).netloc
    if isinstance(error, UserError):
        return error
    if isinstance(error, HfHubHTTPError):
        return WeightsError(_refusal(error.response.status_code, entry, token, host), detail)
    if isinstance(error, OfflineModeIsEnabled):
        return WeightsError("Downloads are switched off: take HF_HUB_OFFLINE out of the environment.", detail)
    if isinstance(error, NoHubError):
        return WeightsError(
            f"{host} does not answer as the hub does: perhaps the network wants a login first, or a proxy stands "
            "between. Open a web page, then try again.",
            detail,
        )
    if isinstance(error, network_error()):
        return WeightsError(
            f"{host} cannot be reached, or the connection broke: check the network, a proxy or firewall too. {AGAIN}.",
            detail,
        )
    if isinstance(error, OSError) and error.errno is not None:
        return unwritable(folder, error)
    return error


def _refusal(status: int, entry: CatalogueEntry, token: str | None, host: str) -> str:
    """The sentence for an answer with this HTTP status."""
    if status in (401, 403) and token is None:
        return (
            f"{entry.id} is handed out to those whom its publishers have given access: accept the terms at "
            f"{entry.page}, make a token at {TOKENS}, and give it with --token-file FILE or in HF_TOKEN."
        )
    if status == 401:
        return (
            f"The hub does not know the token: make a new one at {TOKENS}, and give it with --token-file FILE or in "
            "HF_TOKEN."
        )
    if status == 403:
        return (
            f"The hub knows the token, but its account has no access to {entry.id}: accept the terms at {entry.page} "
            "with that account and wait for the publishers' consent; a fine-grained token also needs the right to "
            "read gated repositories."
        )
    if status in (404, 410):
        return (
            f"{host} no longer has {entry.file} at {entry.page}: look there whether it has moved, and update this "
            "add-on; or download it by hand and use that file (preferences, or `weights convert`)."
        )
    if status in PASSING:
        return f"{host} is too busy or out of order (answer {status}). {AGAIN}."
    return f"{host} refused the download with the answer {status}: look at {entry.page}, then try again."
