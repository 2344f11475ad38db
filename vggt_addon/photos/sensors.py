"""How wide the sensors of cameras are that write the focal length in millimetres into their photos, and nothing else.

Facts from the makers' published specifications, rounded to 0.1 mm; a family is in one line where its members differ by
less than 2 %, which is less than their lenses' own rounding. Most phones need no line: they write the 35 mm equivalent.
This module imports nothing beyond the standard library.
"""

import re

_FULL_FRAME = 35.9
_INCH = 13.2  # of the "1 inch" kind
_FOUR_THIRDS = 17.3
_TWO_THIRDS = 8.8  # of the "2/3 inch" kind
_SMALL = 6.2  # of the "1/2.3 inch" kind

# Long side in mm by what "maker model" begins with, in small letters; the first that fits counts.
_WIDTHS: tuple[tuple[str, float], ...] = (
    (r"canon canon eos-1d ?[xc]|canon canon eos-1ds|canon canon eos (5ds?|6d)\b", _FULL_FRAME),
    (r"canon canon eos-1d", 28.1),
    (r"canon canon eos r(7|10|50|100)\b", 22.3),
    (r"canon canon eos r", _FULL_FRAME),
    (r"canon canon eos ", 22.3),
    (r"nikon.* d([3456]|3s|3x|4s|6[01]0|7[058]0|800e?|810a?|850|f)$", _FULL_FRAME),
    (r"nikon.* d\d", 23.6),
    (r"nikon.* z ?(30|50|50_2|fc)$", 23.5),
    (r"nikon.* z ?[5-9f]", _FULL_FRAME),
    (r"sony (ilce-[179]|slt-a99|dslr-a[89]\d\d|ilca-99|dsc-rx1(r|rm2|rm3)?$|zv-e1$)", _FULL_FRAME),
    (r"sony dsc-rx10", _INCH),
    (r"sony (ilce-|ilca-|nex-|slt-a|dslr-a|zv-e10)", 23.5),
    (r"fujifilm gfx", 43.8),
    (r"fujifilm (x[123]0|x-s1|xf1)$", _TWO_THIRDS),
    (r"fujifilm x-hf1", 11.7),  # of a "1 inch" sensor
    (r"fujifilm x(-|100|f|70)", 23.6),
    (r"(pentax|ricoh).* k-1\b", _FULL_FRAME),
    (r"(pentax|ricoh).* k(-|[fp]$|10d|20d|100d|110d|200d|2000)", 23.5),
    (r"(olympus|om digital).* (e-(?!10|20)|om-)", _FOUR_THIRDS),
    (r"panasonic (dmc|dc)-(g|l1$|l10$)", _FOUR_THIRDS),
    (r"panasonic dc-s", 35.6),
    (r"(dji|hasselblad) (fc6310|fc3411|l1d-20c)", _INCH),
    (r"dji fc3170", 6.4),
    (r"dji fc(220|230|300|330|350|2204|7203|7303)", _SMALL),
    (r"gopro hero ?([3-8]|\+)", _SMALL),
    (r"apple iphone (4|5)$", 4.5),
    (r"apple iphone 3gs|samsung galaxy nexus", 3.6),
    (r"samsung gt-i9[13]00", 4.5),
    (r"samsung gt-i950", 4.7),
)
_PATTERNS = tuple((re.compile(pattern), width) for pattern, width in _WIDTHS)


def sensor_width(maker: str, model: str) -> float | None:
    """The sensor's long side in mm; None for a camera that is not listed. Names as EXIF has them."""
    name = f"{maker.strip()} {model.strip()}".casefold()
    return next((width for pattern, width in _PATTERNS if pattern.match(name)), None)
