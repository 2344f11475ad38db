"""Long sentences in a panel: Blender's labels do not wrap.

This module imports nothing beyond the room; what it is handed are Blender's layout and context.
"""

from typing import Any

from .. import wording


def draw_text(layout: Any, context: Any, text: str, icon: str = "NONE", width: int = 0) -> None:
    """`text` in as many lines as the region's width asks for, or a dialog's of `width`; `icon` before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.85
    scale = 1.0 if width else context.preferences.system.ui_scale
    letters = wording.letters(width or context.region.width, scale)
    for number, line in enumerate(wording.lines(wording.shown(text), letters)):
        first = number == 0 and icon != "NONE"
        column.label(text=line, icon=icon if first else ("BLANK1" if icon != "NONE" else "NONE"), translate=False)
