"""What stands in the court: the urn on its plinth, crates, barrel, logs, door, bench, millstone, pots and pebbles."""

import numpy as np

from .masonry import WALL
from .noise import Float, fractal, hashed
from .shapes import Shape, ball, box, colored, joined, lathe, linear, mixed, roughened, turned, weathered

TERRACOTTA, LIME, SOIL = linear("b0653f"), linear("d8c9b0"), linear("46372a")
OAK, GREY_WOOD, BLUE_PAINT = linear("8f6b45"), linear("8a7d6c"), linear("4d7484")


def vessel(profile: list[tuple[float, float]], spacing: float, color: Float, seed: int) -> Shape:
    """A turned clay vessel: uneven by the potter's hand, stained with lime and soot."""
    rng = np.random.default_rng(seed)
    shape = lathe(profile, spacing, smooth=True, texture_shift=rng.uniform(-40, 40, 3))
    shape = roughened(colored(shape, color), 0.008, 4.0, seed)
    shape = roughened(shape, 0.0025, 30.0, seed + 9)
    shape = weathered(shape, LIME, 0.31, 6.0, seed)
    return weathered(shape, linear("6e5240"), 0.34, 4.0, seed + 1)


def urn(spacing: float) -> Shape:
    """The urn: foot, belly, neck and rim, open at the top, with ribs around its belly."""
    profile = [
        (0.02, 0.0),
        (0.17, 0.0),
        (0.18, 0.03),
        (0.13, 0.07),
        (0.11, 0.10),
        (0.16, 0.14),
        (0.25, 0.22),
        (0.315, 0.33),
    ]
    profile += [
        (0.34, 0.44),
        (0.33, 0.54),
        (0.28, 0.63),
        (0.215, 0.69),
        (0.20, 0.72),
        (0.22, 0.75),
        (0.285, 0.78),
        (0.295, 0.80),
    ]
    profile += [(0.29, 0.82), (0.25, 0.81), (0.19, 0.74), (0.20, 0.66), (0.02, 0.66)]
    shape = vessel(profile, spacing, TERRACOTTA, 7)
    x, y, z = shape.vertices.T
    rib = np.clip(1 - np.abs(z - 0.40) / 0.17, 0, 1) * np.clip((np.hypot(x, y) - 0.2) / 0.05, 0, 1)
    swell = 0.013 * rib * np.abs(np.sin(9 * np.arctan2(y, x) + 1.5 * fractal(shape.vertices, 1.5, 3)))
    scale = 1 + swell / np.maximum(np.hypot(x, y), 0.05)
    vertices = np.stack([x * scale, y * scale, z], axis=1)
    return Shape(vertices, shape.quads, shape.color, shape.texture).moved(shift=(0, 0, 0.46))


def plinth(spacing: float) -> Shape:
    """Two worn steps and a block of limestone under the urn."""
    parts = [
        box((0.95, 0.92, 0.14), spacing, linear("a3957f"), 11, bevel=0.025, rough=0.014).moved(
            turned("z", 8), (0, 0, 0.06)
        ),
        box((0.64, 0.66, 0.30), spacing, linear("b5a689"), 12, bevel=0.02, rough=0.012).moved(
            turned("z", 12), (0, 0, 0.27)
        ),
        box((0.74, 0.72, 0.07), spacing, linear("a99a80"), 13, bevel=0.02, rough=0.010).moved(
            turned("z", 11), (0, 0, 0.43)
        ),
    ]
    stained = [weathered(part, linear("5d6146"), 0.36, 4.0, 14 + k) for k, part in enumerate(parts)]
    return joined([weathered(part, linear("d2c3a2"), 0.38, 7.0, 24 + k) for k, part in enumerate(stained)])


def plank(
    size: tuple[float, float, float], spacing: float, color: Float, seed: int, shift: tuple[float, float, float]
) -> Shape:
    """A board along x, shaded and worn in its own way."""
    shade = 0.75 + 0.5 * float(hashed(np.array([seed]), seed=5)[0])
    board = box(size, spacing, color * shade, seed, bevel=0.006, rough=0.004)
    return weathered(board, linear("4b3c2d"), 0.36, 3.0, seed + 2).moved(shift=shift)


def crate(spacing: float, color: Float, seed: int) -> Shape:
    """A slatted fruit crate of 0.55 x 0.38 x 0.30 m on the ground about the origin."""
    parts: list[Shape] = []
    for level in range(3):
        z = 0.05 + 0.10 * level
        for side in (-1, 1):
            parts.append(plank((0.55, 0.014, 0.082), spacing, color, seed + 7 * len(parts), (0, side * 0.185, z)))
            across = plank((0.37, 0.014, 0.082), spacing, color, seed + 7 * len(parts), (0, 0, 0))
            parts.append(across.moved(turned("z", 90), (side * 0.265, 0, z)))
    for x in (-1, 1):
        for y in (-1, 1):
            post = plank((0.30, 0.035, 0.035), spacing, color, seed + 7 * len(parts), (0, 0, 0))
            parts.append(post.moved(turned("y", 90), (x * 0.245, y * 0.165, 0.15)))
    for k in range(4):
        parts.append(plank((0.53, 0.085, 0.012), spacing, color, seed + 7 * len(parts), (0, -0.138 + 0.092 * k, 0.012)))
    return joined(parts)


def fruit(
    spacing: float, colors: list[str], radius: float, area: tuple[float, float], height: float, seed: int
) -> Shape:
    """A heap of fruit in a crate about the origin."""
    rng = np.random.default_rng(seed)
    parts = []
    columns, rows = int(area[0] / (1.9 * radius)), int(area[1] / (1.9 * radius))
    for layer in range(2):
        for row in range(rows - layer):
            for column in range(columns - layer):
                size = radius * rng.uniform(0.85, 1.1, 3)
                color = linear(str(rng.choice(colors))) * rng.uniform(0.75, 1.15)
                one = ball(size, spacing, color, int(rng.integers(1 << 20)), rough=0.10, scale=2.0)
                one = weathered(one, linear("7d6a2c"), 0.28, 14.0, int(rng.integers(1 << 20)))
                x = (column - (columns - layer - 1) / 2) * 1.9 * radius + rng.normal(0, 0.1 * radius)
                y = (row - (rows - layer - 1) / 2) * 1.9 * radius + rng.normal(0, 0.1 * radius)
                z = height + layer * 1.35 * radius + rng.normal(0, 0.12 * radius)
                parts.append(one.moved(turned("z", rng.uniform(0, 360)), (x, y, z)))
    return joined(parts)


def pumpkin(radius: float, spacing: float, color: str, seed: int) -> Shape:
    """A ribbed pumpkin with its stalk, on the ground about the origin."""
    body = ball((radius, radius, radius * 0.72), spacing, linear(color), seed, rough=0.08, scale=1.5)
    x, y, z = body.vertices.T
    angle = np.arctan2(y, x) + 0.25 * fractal(body.vertices / radius, 1.0, seed)
    rib = 1 - 0.10 * np.abs(np.cos(5.5 * angle)) ** 3 * np.clip(np.hypot(x, y) / (0.4 * radius), 0, 1)
    shade = mixed(body.color * linear("b07a50"), body.color, (rib - 0.90) / 0.09)
    body = Shape(np.stack([x * rib, y * rib, z], axis=1), body.quads, shade, body.texture)
    body = weathered(body, linear("6b7a3a"), 0.30, 9.0, seed + 3)
    stalk = lathe([(0.028, 0), (0.018, 0.04), (0.022, 0.075), (0.002, 0.08)], spacing / 2, texture_shift=(seed, 0, 0))
    stalk = roughened(colored(stalk, linear("7b7444")), 0.008, 25.0, seed)
    return joined([body.moved(shift=(0, 0, radius * 0.68)), stalk.moved(turned("y", 14), (0, 0, radius * 1.28))])


def barrel(spacing: float) -> Shape:
    """An oak barrel of staves with iron hoops, and water-stained planks as its lid."""
    profile = [
        (0.02, 0.0),
        (0.27, 0.0),
        (0.30, 0.12),
        (0.335, 0.32),
        (0.345, 0.44),
        (0.335, 0.56),
        (0.30, 0.76),
        (0.27, 0.88),
    ]
    profile += [(0.25, 0.88), (0.25, 0.85), (0.01, 0.85)]
    shape = lathe(profile, spacing, smooth=True)
    x, y, z = shape.vertices.T
    turn = (np.arctan2(y, x) / (2 * np.pi) + 0.5) * 22 + 0.15 * np.sin(3 * z)
    stave = np.floor(turn).astype(np.int64)
    side = np.hypot(x, y) > 0.255
    board = np.where(side, stave, 100 + np.floor(y / 0.11).astype(np.int64))
    gap = np.where(side, np.abs(turn - stave - 0.5) * 2, np.abs(y / 0.11 - np.floor(y / 0.11) - 0.5) * 2)
    hoop = side & (np.min([np.abs(z - level) for level in (0.06, 0.24, 0.64, 0.82)], axis=0) < 0.022)
    tone = (0.6 + 0.8 * hashed(board, seed=3))[:, None] * OAK
    color = mixed(tone, linear("2c2219"), (gap - 0.90) / 0.08)
    rust = mixed(linear("4a4643"), linear("7a4526"), 0.5 + 3 * fractal(shape.vertices, 12.0, 4, 5))
    color = np.where(hoop[:, None], rust, color)
    out = 1 + (0.006 * hoop - 0.006 * (gap > 0.93) * side) / np.maximum(np.hypot(x, y), 0.05)
    own = hashed(board, np.ones_like(board), seed=8)[:, None] * 40
    texture = np.stack([z, x, y], axis=1) + own
    shape = Shape(np.stack([x * out, y * out, z], axis=1), shape.quads, color, texture)
    return weathered(roughened(shape, 0.006, 6.0, 5), linear("3d352b"), 0.34, 4.0, 6)


def logs(spacing: float) -> Shape:
    """Firewood stacked along x, its sawn ends facing -y, about the origin on the ground."""
    rng = np.random.default_rng(31)
    parts = []
    level, height = 0, 0.0
    while level < 5:
        x = -0.62 + rng.uniform(0, 0.08)
        tallest = 0.0
        while x < 0.62:
            radius = rng.uniform(0.055, 0.10)
            parts.append(
                _log(radius, spacing, int(rng.integers(1 << 20))).moved(
                    turned("z", rng.normal(0, 2)), (x + radius, rng.normal(0, 0.025), height + radius)
                )
            )
            x += 2 * radius * 0.98
            tallest = max(tallest, radius)
        height += 1.62 * tallest
        level += 1
    return joined(parts)


def _log(radius: float, spacing: float, seed: int) -> Shape:
    """One log along y, bark outside, rings at its end."""
    rng = np.random.default_rng(seed)
    shape = lathe([(0.002, -0.25), (radius * 0.85, -0.25), (radius, -0.245), (radius, 0.25), (0.002, 0.25)], spacing)
    x, y, z = shape.vertices.T
    out = np.hypot(x, y) / radius
    lump = 1 + 0.12 * fractal(np.stack([x / radius, y / radius, z * 2], 1), 0.8, seed)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * out * 7 + 2 * fractal(shape.vertices, 12.0, seed))
    wood = mixed(linear("c59f6c"), linear("8f6538"), rings * 0.8)
    bark = mixed(
        linear("5b4635"), linear("8b8071"), 0.5 + 2.5 * fractal(shape.vertices * [1, 1, 0.3], 25.0, seed + 1, 4)
    )
    end = (np.abs(z) > 0.247) & (out < 0.93)
    color = np.where(end[:, None], wood, bark) * rng.uniform(0.75, 1.15)
    bumps = np.where(end, 1.0, 1 + 0.06 * fractal(shape.vertices * [1, 1, 0.35], 45.0, seed + 2, 3))
    vertices = np.stack([x * lump * bumps, y * lump * bumps, z], axis=1)
    texture = np.stack([z, x, y], axis=1) + rng.uniform(-40, 40, 3)
    return Shape(vertices, shape.quads, color, texture).moved(turned("x", 90) @ turned("z", rng.uniform(0, 360)))


def door(spacing: float) -> tuple[Shape, Shape, Shape]:
    """A plank door with flaking blue paint, its stone frame, and its iron straps, in the stone wall."""
    rng = np.random.default_rng(41)
    boards = []
    for k in range(8):
        board = box(
            (2.02, 0.122 + rng.normal(0, 0.003), 0.035),
            spacing,
            BLUE_PAINT * rng.uniform(0.8, 1.15),
            300 + k,
            rough=0.003,
        )
        board = weathered(board, linear("9c8a70"), 0.36, 4.5, 320 + k)
        board = weathered(board, linear("34302a"), 0.26, 2.2, 340 + k)
        boards.append(
            board.moved(turned("x", 90) @ turned("z", 90), (0, 0, 0)).moved(
                turned("z", 0), (-0.44 + 0.126 * k, 0, 1.03)
            )
        )
    frame = []
    for k in range(5):
        for side in (-1, 1):
            wide = 0.22 + 0.08 * ((k + (side > 0)) % 2)
            stone = box(
                (wide, 0.2, 0.425),
                spacing,
                linear("b3a184") * rng.uniform(0.8, 1.15),
                360 + 2 * k + side,
                bevel=0.015,
                rough=0.012,
            )
            frame.append(
                weathered(stone, linear("746a58"), 0.36, 5.0, 380 + k).moved(
                    shift=(side * (0.51 + wide / 2), 0.0, 0.215 + 0.43 * k)
                )
            )
    lintel = box((1.75, 0.22, 0.26), spacing, linear("a8967a"), 399, bevel=0.02, rough=0.012)
    frame.append(weathered(lintel, linear("6d6556"), 0.36, 5.0, 398).moved(shift=(0, 0, 2.28)))
    straps = []
    for z in (0.42, 1.62):
        strap = box((0.72, 0.012, 0.055), spacing / 2, linear("4a4039"), int(z * 100), bevel=0.004, rough=0.003)
        straps.append(weathered(strap, linear("7a4a2c"), 0.45, 12.0, 5).moved(shift=(-0.10, -0.025, z)))
    place = (0.55, WALL - 0.09, 0.0)
    return tuple(joined(parts).moved(shift=place) for parts in (boards, frame, straps))  # type: ignore[return-value]


def bench(spacing: float) -> tuple[Shape, Shape]:
    """A thick plank along y on two rough stones, along the brick wall: wood and stone."""
    seat = joined([plank((1.5, 0.17, 0.06), spacing, GREY_WOOD, 500 + k, (0, -0.09 + 0.18 * k, 0.43)) for k in (0, 1)])
    feet = [
        weathered(
            box((0.2, 0.32, 0.42), spacing, linear("a4957d"), 510 + side, bevel=0.03, rough=0.03),
            linear("6f6a52"),
            0.4,
            5.0,
            512,
        ).moved(turned("z", 5 * side), (0.55 * side, 0, 0.2))
        for side in (-1, 1)
    ]
    turn, place = turned("z", 90), (-WALL + 0.33, -0.75, 0)
    return seat.moved(turn, place), joined(feet).moved(turn, place)


def millstone(spacing: float) -> Shape:
    """An old millstone with furrows, leaning against the brick wall."""
    profile = [(0.07, 0.0), (0.07, 0.13), (0.44, 0.13), (0.46, 0.11), (0.46, 0.0), (0.07, 0.0)]
    shape = lathe(profile[::-1], spacing)
    x, y, z = shape.vertices.T
    swirl = np.arctan2(y, x) + 1.2 * np.hypot(x, y)
    groove = (z > 0.125) * np.clip(np.cos(14 * swirl + fractal(shape.vertices, 5.0, 3)) - 0.7, 0, 1) * 0.05
    shape = Shape(np.stack([x, y, z - groove], axis=1), shape.quads, shape.color, shape.texture + 17.0)
    shape = roughened(colored(shape, linear("9a9082")), 0.014, 7.0, 61)
    shape = weathered(weathered(shape, linear("c9bfa8"), 0.38, 6.0, 62), linear("656a4c"), 0.38, 4.0, 63)
    return shape.moved(turned("z", -90) @ turned("x", 74), (-WALL + 0.28, 0.62, 0.43))


def sack(spacing: float) -> Shape:
    """A slumped sack of burlap with a tied neck."""
    shape = ball((0.25, 0.2, 0.36), spacing / 1.5, linear("b0966a"), 71, rough=0.16, scale=1.6)
    x, y, z = shape.vertices.T
    slump = np.where(z < -0.2, 0.35 * (z + 0.2) - 0.2, z)
    neck = 1 - 0.72 * np.clip((z - 0.16) / 0.12, 0, 1) + 0.5 * np.clip((z - 0.30) / 0.06, 0, 1)
    fold = 1 + 0.05 * np.sin(11 * np.arctan2(y, x) + 4 * z) * np.clip((z + 0.1) / 0.2, 0, 1)
    vertices = np.stack([x * neck * fold, y * neck * fold, slump + 0.24], axis=1)
    return weathered(Shape(vertices, shape.quads, shape.color, shape.texture), linear("6f5a3c"), 0.40, 6.0, 72)


def pot(radius: float, height: float, spacing: float, color: str, seed: int) -> Shape:
    """A flower pot with earth in it, on the ground about the origin."""
    profile = [
        (0.02, 0.0),
        (0.68, 0.0),
        (0.70, 0.02),
        (0.93, 0.80),
        (1.03, 0.81),
        (1.06, 0.97),
        (0.98, 1.0),
        (0.90, 0.97),
        (0.86, 0.88),
    ]
    body = vessel([(r * radius, h * height) for r, h in profile], spacing, linear(color), seed)
    x = lathe([(0.88 * radius, 0.86 * height), (0.02, 0.92 * height)], spacing, texture_shift=(seed, 3, 1))
    return joined([body, roughened(colored(x, SOIL), 0.012, 25.0, seed)])


def pebbles(spacing: float) -> Shape:
    """Stones scattered over the court, thicker along the walls."""
    rng = np.random.default_rng(81)
    parts: list[Shape] = []
    while len(parts) < 170:
        x, y = rng.uniform(-2.4, 3.4), rng.uniform(-3.4, 2.4)
        near = max(np.exp(-(x + WALL) / 0.5), np.exp(-(WALL - y) / 0.5), 0.22)
        if rng.random() > near:
            continue
        radius = 0.010 + 0.03 * rng.random() ** 3
        color = linear(str(rng.choice(["8f8475", "b6a98f", "6c655d", "a67f5e", "9c5138", "c9bfa9"]))) * rng.uniform(
            0.7, 1.2
        )
        one = ball(
            radius * np.array([1.2, 1.0, 0.7]), spacing, color, int(rng.integers(1 << 20)), rough=0.25, scale=1.5
        )
        parts.append(one.moved(turned("z", rng.uniform(0, 360)), (x, y, radius * 0.35)))
    return joined(parts)
