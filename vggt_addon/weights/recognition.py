"""What a file is by its first bytes, and what to say of one that is not weights.

This module imports nothing beyond the standard library.
"""

import re
from pathlib import Path

from ..errors import WeightsError

PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")
TEXT = frozenset(range(0x20, 0x100)) | frozenset(b"\t\n\r\f\x1b")


def is_torch_archive(head: bytes) -> bool:
    """Whether it begins as PyTorch's zip archives do."""
    return head.startswith(b"PK\x03\x04")


def is_safetensors(head: bytes) -> bool:
    """Whether it begins as safetensors does: the length of the list of contents in 8 bytes, then the list, in JSON."""
    return head[8:9] == b"{" and not _is_text(head)


def not_weights(path: Path, head: bytes) -> WeightsError:
    """The refusal of a file that begins with `head` and is neither of the two formats."""
    return WeightsError(f"{path} {_verdict(head)}", f"it begins with {head[:80]!r}")


def _verdict(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"version https://git-lfs.github.com/"):
        return "is a Git LFS pointer, a short note in place of the weights: download the file itself again."
    if _is_text(head) and text.startswith(b"<"):
        return (
            "is a web page, not the weights: its site may want you to log in or to accept a licence first. "
            "Then download it again."
        )
    if _is_text(head):
        return "is a text, not the weights: perhaps the answer of the site to a refused download. Download it again."
    if re.match(rb"\x80[\0-\5]", head) or head[257:262] == b"ustar":
        return (
            "is in PyTorch's old file form, which can run code as it opens, so it is not opened: "
            "download the weights as .safetensors or in the present form."
        )
    if head.startswith(PICTURES):
        return "is a picture, not the weights: choose the file of weights."
    return "is not a file of weights, or its beginning is damaged: choose another file, or download it again."


def _is_text(head: bytes) -> bool:
    return all(byte in TEXT for byte in head)
