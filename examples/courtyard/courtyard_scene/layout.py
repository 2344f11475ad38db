"""Puts the parts in their places: every mesh of the courtyard by name, with the grain of its material."""

from . import clutter, masonry, materials, plants
from .materials import Grain
from .shapes import Shape, joined, linear, turned


def courtyard(spacing: float) -> dict[str, tuple[Shape, Grain]]:
    """All meshes: name to shape and grain. `spacing` is the distance in metres between vertices; 0.012 for photos."""
    fine = max(spacing, 0.012)
    boards, frame, straps = clutter.door(fine)
    seat, feet = clutter.bench(fine)
    lemon, apple = ["d8b83a", "e0c650", "c9a52e", "cfc058"], ["a83a2a", "c0563a", "b8823a", "8f9a3f"]
    crates = [
        clutter.crate(fine, linear("a98a5c"), 600).moved(turned("z", 24), (-0.98, -0.12, 0.01)),
        clutter.crate(fine, linear("8d7452"), 700).moved(turned("z", -31), (0.82, 0.62, 0.01)),
        clutter.crate(fine, linear("9c7f58"), 800).moved(turned("z", -12), (-1.25, 2.1, 0.01)),
        clutter.crate(fine, linear("b09468"), 900).moved(turned("z", 6), (-1.22, 2.12, 0.325)),
    ]
    fruits = [
        clutter.fruit(fine, lemon, 0.036, (0.50, 0.33), 0.21, 1).moved(turned("z", 24), (-0.98, -0.12, 0.01)),
        clutter.fruit(fine, apple, 0.041, (0.50, 0.33), 0.20, 2).moved(turned("z", -31), (0.82, 0.62, 0.01)),
        clutter.pumpkin(0.20, fine, "c8762e", 3).moved(turned("z", 40), (0.42, -0.78, 0.0)),
        clutter.pumpkin(0.15, fine, "b9903f", 4).moved(turned("z", 10), (0.08, -0.98, 0.0)),
        clutter.pumpkin(0.13, fine, "7f8a4f", 5).moved(turned("z", 75), (-0.55, -0.72, 0.0)),
        clutter.pumpkin(0.17, fine, "c4803a", 6).moved(turned("z", 75), (-1.22, 2.1, 0.64)),
    ]
    return {
        "ground": (masonry.ground(spacing), materials.STONE),
        "stone_wall": (masonry.stone_wall(spacing), materials.STONE),
        "brick_wall": (masonry.brick_wall(spacing), materials.PLASTER),
        "coping": (masonry.coping(spacing), materials.CLAY),
        "urn": (clutter.urn(fine), materials.CLAY),
        "pots": (_pots(fine), materials.CLAY),
        "stones": (
            joined([clutter.plinth(fine), feet, frame, clutter.millstone(fine), clutter.pebbles(fine)]),
            materials.STONE,
        ),
        "planks": (joined([*crates, seat, boards]), materials.WOOD),
        "barrel": (clutter.barrel(fine).moved(turned("z", 50), (1.62, 1.80, 0)), materials.WOOD),
        "logs": (clutter.logs(fine).moved(shift=(-0.62, 2.22, 0)), materials.WOOD),
        "iron": (straps, materials.IRON),
        "fruit": (joined(fruits), materials.FRUIT),
        "sack": (clutter.sack(fine).moved(turned("z", 35), (-1.5, 0.75, 0)), materials.CLOTH),
        "leaves": (joined([plants.pot_plants(), plants.ivy(2600), plants.litter(420)]), materials.LEAF),
    }


def _pots(fine: float) -> Shape:
    """The flower pots, one of them toppled, and the jar on the bench."""
    pots = [
        clutter.pot(0.17, 0.30, fine, "a86a48", 131).moved(shift=(0.98, -0.62, 0)),
        clutter.pot(0.28, 0.48, fine, "b87850", 132).moved(shift=(-1.75, 1.85, 0)),
        clutter.pot(0.20, 0.36, fine, "9c5c40", 133).moved(shift=(2.42, 2.12, 0)),
        clutter.pot(0.11, 0.19, fine, "b0724c", 134).moved(shift=(-2.26, -1.2, 0.46)),
        clutter.pot(0.10, 0.17, fine, "c09068", 135).moved(turned("z", 20), (-2.24, -0.42, 0.46)),
        clutter.pot(0.13, 0.22, fine, "a4603f", 136).moved(turned("y", 97) @ turned("z", 30), (0.62, -1.2, 0.13)),
        clutter.vessel(
            [(0.02, 0), (0.09, 0), (0.17, 0.16), (0.16, 0.28), (0.08, 0.38), (0.09, 0.44), (0.06, 0.43), (0.05, 0.3)],
            fine,
            linear("8f7a5c"),
            137,
        ).moved(shift=(-2.22, -0.75, 0.46)),
    ]
    return joined(pots)
