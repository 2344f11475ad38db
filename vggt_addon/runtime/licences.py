"""Under which licences what a private runtime holds is, as the artist is told before the click.

Own licences are as the wheels say. Of what their publishers have built into them, each library under the GPL is named;
of the LGPL and the MPL it is said that some is there. The repository's wheels/libraries.toml knows them all.
This module imports nothing beyond the standard library.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_FFMPEG = ("FFmpeg", "GPL-2.0-or-later AND LGPL-2.1-or-later")
_X264 = ("x264", "GPL-2.0-or-later")
_X265 = ("x265", "GPL-2.0-or-later")
OTHERS = (
    "All others are under MIT, BSD, Apache, PSF, MPL or likewise permissive terms; each package brings its own text."
)


@dataclass(frozen=True)
class Licence:
    """Of one package."""

    own: str  # SPDX expression
    carried: tuple[tuple[str, str], ...] = ()  # names of libraries in its wheels, with their SPDX expressions
    kinds: tuple[str, ...] = ()  # of other libraries in them: "LGPL", "MPL"

    def __str__(self) -> str:
        parts = [f"{name} ({expression})" for name, expression in self.carried]
        parts += [f"others under the {' and '.join(self.kinds)}"] if self.kinds else []
        return f"{self.own}, with {', '.join(parts)} in it" if parts else self.own


LICENCES = {
    "av": Licence("BSD-3-Clause", (_FFMPEG, _X264, _X265), ("LGPL",)),
    "huggingface-hub": Licence("Apache-2.0"),
    "numpy": Licence("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0"),
    "nvidia": Licence("NVIDIA's own terms"),
    "opencv-python-headless": Licence("Apache-2.0", (_FFMPEG, _X264, _X265), ("LGPL", "MPL")),  # the last four on Macs
    "pillow": Licence("MIT-CMU"),
    "pillow-heif": Licence("BSD-3-Clause", (_X265,), ("LGPL",)),
    "pycolmap": Licence(
        "BSD-3-Clause",
        (
            ("CGAL", "GPL-3.0-or-later"),
            ("SuiteSparse (CHOLMOD, SPQR)", "LGPL-2.1-or-later AND GPL-2.0-or-later"),
        ),
        ("MPL",),
    ),
    "safetensors": Licence("Apache-2.0"),
    "torch": Licence(
        "Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND BSL-1.0 AND MIT"
    ),
}  # of what people ask for, and of all that carries what is under the GPL


def licence_lines(packages: Iterable[str]) -> tuple[str, ...]:
    """ "pillow: MIT-CMU" and the like, of those of `packages` that are worth a line."""
    return tuple(f"{name}: {LICENCES[name]}" for name in sorted(set(packages)) if name in LICENCES)
