"""The ground, the two walls and their coping: reliefs whose every stone has its own height, tilt, colour and grain."""

import numpy as np

from .noise import Array, Float, cells, fractal, hashed
from .shapes import Shape, colored, joined, lathe, linear, mixed, relief, roughened, turned

WALL = 2.6  # metres from the middle of the court to either wall
WALL_HEIGHT = 3.35  # metres
REACH = 5.4  # metres: how far the walls run from their corner past the middle


def spread(plane: Array, third: float = 0.0) -> Float:
    """Points of a plane (n, 2) as points of space (n, 3), for noise."""
    return np.concatenate([plane, np.full((len(plane), 1), third)], axis=1)


def warped(plane: Array, amount: float, scale: float, seed: int) -> Float:
    """Points of a plane shifted by noise, so that joints between stones are not straight."""
    shift = np.stack([fractal(spread(plane, 7.0 * axis), scale, seed + axis, 3) for axis in (0, 1)], axis=1)
    return np.asarray(plane + amount * shift)


def stone_faces(
    plane: Array, place: Array, joint: Array, seed: int, *, round_over: float, tilt: float
) -> tuple[Float, Float]:
    """Height of dressed stones over their bed, and where a point lies in its stone's own texture space.

    plane (n, 2) metres, place (n, 2) the stone each point belongs to, joint (n,) metres to the stone's border.
    """
    own = np.stack([hashed(place[:, 0], place[:, 1], np.full(len(place), k), seed=seed) for k in range(3)], axis=1)
    texture = spread(plane) + 60 * own
    rise = np.clip(joint / round_over, 0, 1)
    crown = 1 - (1 - rise) ** 3
    lean = ((own[:, :2] - 0.5) * np.stack([np.sin(2.1 * plane[:, 0]), np.cos(1.7 * plane[:, 1])], axis=1)).sum(axis=1)
    rough = fractal(texture, 6.0, seed + 5, 5, 0.55)
    return np.asarray(crown * (1 + tilt * (own[:, 2] - 0.5) + tilt * lean + 0.35 * rough)), np.asarray(texture)


def palette(place: Array, colors: list[str], seed: int) -> Float:
    """A colour for each stone: one of the palette, made lighter or darker. (n, 3) linear."""
    pick = hashed(place[:, 0], place[:, 1], np.full(len(place), 11), seed=seed) * len(colors)
    shade = 0.72 + 0.56 * hashed(place[:, 0], place[:, 1], np.full(len(place), 12), seed=seed)
    table = np.stack([linear(code) for code in colors])
    return np.asarray(table[pick.astype(int)] * shade[:, None])


def flagstones(plane: Array) -> tuple[Float, Float, Float]:
    """Irregular paving with earth and moss in its joints; height 0 is about the top of the stones."""
    scale = 0.46  # metres between stones
    place, border = cells(warped(plane, 0.05, 2.0, 3) / scale, 21, 0.86)
    joint = border * scale - 0.012 + 0.008 * fractal(spread(plane), 14.0, 40, 3)
    height, texture = stone_faces(plane, place, np.maximum(joint, 0), 22, round_over=0.035, tilt=0.35)
    stone = palette(place, ["9c8f7c", "8a8277", "a8977c", "776f66", "b3a48c", "94806a", "7f8079"], 23)
    stain = fractal(spread(plane), 1.3, 25, 6, 0.6)
    stone = mixed(stone, stone * linear("8d8a7c"), 0.4 + 2.2 * stain)
    stone = mixed(stone, linear("6d7046"), 2.4 * (fractal(spread(plane), 5.0, 33, 5, 0.65) - 0.12))
    moss = mixed(linear("5a4a36"), linear("56662a"), 0.5 + 2.5 * fractal(spread(plane), 3.0, 27, 5))
    moss = moss * (0.8 + 0.8 * fractal(spread(plane), 60.0, 28, 3)[:, None])
    color = mixed(moss, stone, joint / 0.014)
    rise = 0.032 * height + 0.006 * fractal(spread(plane), 45.0, 29, 3) * (joint <= 0.004)
    return rise - 0.032 + 0.02 * fractal(spread(plane), 0.7, 30, 2), color, texture


def rubble(plane: Array) -> tuple[Float, Float, Float]:
    """A wall of roughly coursed limestone with deep mortar joints, darker and mossier towards the ground."""
    warp = warped(plane, 0.07, 1.6, 51)
    size = np.array([0.40, 0.235])  # metres: a stone's usual width and height
    place, border = cells(warp / size, 52, 0.82)
    joint = border * 0.27 - 0.010 + 0.007 * fractal(spread(plane), 18.0, 53, 3)
    height, texture = stone_faces(plane, place, np.maximum(joint, 0), 54, round_over=0.05, tilt=0.8)
    stone = palette(place, ["b9a27c", "a58e6c", "c4b191", "8f8069", "ad9a85", "9b7f5c", "b59f8e"], 55)
    ochre = fractal(spread(plane), 2.2, 56, 6, 0.62)
    stone = mixed(stone, linear("8a5f38"), 1.6 * (ochre - 0.14))
    stone = mixed(stone, linear("55554c"), 2.2 * (fractal(spread(plane), 6.0, 57, 5, 0.65) - 0.16))
    mortar = linear("b3a58b") * (0.75 + 0.5 * fractal(spread(plane), 30.0, 58, 4)[:, None])
    color = mixed(mortar, stone, joint / 0.012)
    damp = 1.0 - plane[:, 1] / 0.7 + 1.1 * fractal(spread(plane), 2.5, 59, 5)
    color = mixed(color, color * linear("78785a") * 1.2, damp)
    gritty = 0.007 * fractal(spread(plane), 50.0, 60, 2)
    return 0.055 * height + gritty + 0.03 * fractal(spread(plane), 0.8, 61, 2), color, texture


def plastered_brick(plane: Array) -> tuple[Float, Float, Float]:
    """Old brickwork under ochre plaster that has come off in patches."""
    along, up = warped(plane, 0.010, 3.0, 71).T
    course = np.floor(up / 0.082).astype(np.int64)
    shifted = along / 0.245 + 0.5 * (course % 2) + 0.12 * hashed(course, course, seed=72)
    place = np.stack([np.floor(shifted).astype(np.int64), course], axis=1)
    joint = np.minimum(
        (0.5 - np.abs(shifted - np.floor(shifted) - 0.5)) * 0.245, (0.5 - np.abs(up / 0.082 - course - 0.5)) * 0.082
    )
    joint = joint - 0.006 + 0.006 * fractal(spread(plane), 25.0, 73, 3)
    height, texture = stone_faces(plane, place, np.maximum(joint, 0), 74, round_over=0.012, tilt=0.9)
    brick = palette(place, ["9c5138", "8a4632", "a9634a", "7a4436", "b27255", "93583c", "6d3f35"], 75)
    brick = mixed(brick, linear("b9a894"), 2.0 * (fractal(spread(plane), 7.0, 76, 5, 0.65) - 0.18))
    mortar = linear("a89b88") * (0.75 + 0.5 * fractal(spread(plane), 35.0, 77, 4)[:, None])
    wall = 0.014 * height, mixed(mortar, brick, joint / 0.008)
    field = fractal(spread(plane), 0.9, 78, 7, 0.6) + 0.16 * (plane[:, 1] / WALL_HEIGHT - 0.42) + 0.07
    cover = np.clip((field - 0.0) / 0.012, 0, 1)  # 1 where the plaster still holds
    tone = fractal(spread(plane), 1.1, 79, 6, 0.62)
    plaster = mixed(linear("c79a5e"), linear("d8bd8c"), 0.5 + 1.6 * tone)
    plaster = mixed(plaster, linear("8d7350"), 2.0 * (fractal(spread(plane) * [3, 0.6, 1], 2.0, 80, 6, 0.65) - 0.15))
    plaster = mixed(plaster, linear("5f5747"), 3.0 * (0.03 - np.abs(fractal(spread(plane), 1.9, 81, 5, 0.55))) / 0.12)
    skin = 0.024 + 0.006 * fractal(spread(plane), 4.0, 82, 5, 0.6)
    rim = mixed(plaster, linear("d9cdb4"), (1 - np.abs(field - 0.02) / 0.02))
    color = mixed(wall[1], rim, cover)
    damp = 1.0 - plane[:, 1] / 0.55 + 1.2 * fractal(spread(plane), 2.5, 83, 5)
    color = mixed(color, color * linear("7c7a60") * 1.1, damp)
    place_in_texture = np.where(cover[:, None] > 0.5, spread(plane), texture)
    return np.maximum(wall[0], cover * skin), color, place_in_texture


def ground(spacing: float) -> Shape:
    """The paved court, and coarse earth around it that the pictures only borrow light from."""
    side = WALL + REACH
    paved = relief((-WALL - 0.1, -REACH, 0), ((1, 0, 0), (0, 1, 0)), (side, side + 0.1), spacing, flagstones)
    earth = relief(
        (-9, -12, -0.12),
        ((1, 0, 0), (0, 1, 0)),
        (21, 21),
        0.25,
        lambda p: (0 * p[:, 0], palette(np.floor(p), ["8a7a62"], 1), spread(p)),
    )
    return joined([paved, earth])


def stone_wall(spacing: float) -> Shape:
    """The wall at y = WALL, facing -y."""
    return relief((-WALL - 0.1, WALL, -0.1), ((1, 0, 0), (0, 0, 1)), (WALL + REACH, WALL_HEIGHT + 0.1), spacing, rubble)


def brick_wall(spacing: float) -> Shape:
    """The wall at x = -WALL, facing +x."""
    return relief(
        (-WALL, -REACH, -0.1), ((0, 1, 0), (0, 0, 1)), (WALL + REACH + 0.1, WALL_HEIGHT + 0.1), spacing, plastered_brick
    )


def coping(spacing: float) -> Shape:
    """Two rows of half-round clay tiles on top of the walls, each laid a little differently."""
    rng = np.random.default_rng(90)
    tiles = []
    for wall in (0, 1):
        for k in range(int((WALL + REACH) / 0.19)):
            radius, length = 0.105, 0.5
            tile = lathe(
                [(radius * 1.06, -length / 2), (radius * 0.92, length / 2), (radius * 0.8, length / 2)],
                max(spacing, 0.02),
            )
            tile = colored(
                tile,
                linear(str(rng.choice(["a8623f", "96532f", "b87a52", "8a5a44", "c08a62"]))) * rng.uniform(0.75, 1.15),
            )
            tile = roughened(tile, 0.006, 12.0, int(rng.integers(1 << 20)))
            tile = Shape(tile.vertices, tile.quads, tile.color, tile.texture + rng.uniform(-40, 40, 3))
            tilt = turned("x", 90 - 18 + rng.normal(0, 2)) if wall == 0 else turned("y", 90 - 18 + rng.normal(0, 2))
            along = -WALL + 0.19 * k + rng.normal(0, 0.01)
            height = WALL_HEIGHT + rng.normal(0, 0.008)
            tiles.append(tile.moved(tilt, (along, WALL, height) if wall == 0 else (-WALL, WALL - 0.19 * k, height)))
    return joined(tiles)
