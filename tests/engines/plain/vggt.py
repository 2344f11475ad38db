"""VGGT in the plainest form: pure functions over a state dict, the judge of the network that is shipped.

Nothing is shared, chunked, cached or left out; imports torch only, and nothing of the package. Every number that a
reader may doubt is a constant below, so that a test can change it and see that the goldens notice.
It is one file of more than 400 lines because the tests load it by its path, and because it is read beside one text.
Shapes: B scenes, S frames per scene, H x W pixels, h x w patches, P = 5 + h w tokens, N tracked points, C channels.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor

Weights = Mapping[str, Tensor]

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
ENCODER_EPS = 1e-6
EPS = 1e-5  # everywhere outside the encoder, but for the next
MODULATED_EPS = 1e-6
ROTARY_BASE = 100.0
FIRST_PATCH_POSITION = 1  # special tokens are at 0
MAP_BASE = 100.0
MAP_SCALE = 0.1
GELU = "none"  # the exact form
FLOW_DIVISOR = 518.0


@dataclass(frozen=True)
class Dimensions:
    """What the weights' shapes do not say. The values are the published network's."""

    patch: int = 14
    table: int = 37  # side of the position table, in patches
    registers: int = 4
    encoder_blocks: int = 24
    encoder_heads: int = 16
    pairs: int = 24
    heads: int = 16
    outputs: tuple[int, ...] = (4, 11, 17, 23)
    camera_blocks: int = 4
    camera_heads: int = 16
    camera_iterations: int = 4
    pyramid_levels: int = 7
    radius: int = 4
    track_heads: int = 8
    track_blocks: int = 6
    track_iterations: int = 4
    virtual_tracks: int = 64
    flow_embedding: int = 64  # per axis

    @property
    def special(self) -> int:
        """Tokens of a frame before its patches."""
        return 1 + self.registers


def dimensions(meta: Mapping[str, Any]) -> Dimensions:
    """The dimensions that a golden's meta states."""
    if meta["config"] == "full":
        return Dimensions()
    reduced = meta["reduced"]
    encoder, camera, tracker = reduced["encoder"], reduced["camera_head"], reduced["tracker"]
    return Dimensions(
        patch=reduced["patch"],
        table=reduced["image_table"],
        registers=encoder["registers"],
        encoder_blocks=encoder["blocks"],
        encoder_heads=encoder["heads"],
        pairs=reduced["alternating"]["pairs"],
        heads=reduced["alternating"]["heads"],
        outputs=tuple(reduced["outputs"]),
        camera_blocks=camera["blocks"],
        camera_heads=camera["heads"],
        camera_iterations=camera["iterations"],
        pyramid_levels=tracker["pyramid_levels"],
        radius=tracker["radius"],
        track_heads=tracker["heads"],
        track_blocks=tracker["time_blocks"],
        virtual_tracks=tracker["virtual_tracks"],
        flow_embedding=tracker["flow_embedding_per_axis"],
    )


def run(
    weights: Weights,
    images: Tensor,
    dimensions: Dimensions,
    query_points: Tensor | None = None,
    heads: Collection[str] = ("camera", "depth", "point", "track"),
) -> dict[str, Tensor]:
    """Everything the network says of `images` [B, S, 3, H, W] (RGB, 0..1), in the weights' dtype.

    `query_points` [B, N, 2] are pixels (x, y) of frame 0; without them nothing is tracked. Keys of the result:
    tokens [L, B, S, P, 2C] of the outputs read, pose_enc_iters [4, B, S, 9], extrinsic [B, S, 3, 4], intrinsic
    [B, S, 3, 3], depth [B, S, H, W, 1], depth_conf [B, S, H, W], unprojected [B, S, H, W, 3], world_points
    [B, S, H, W, 3], world_points_conf [B, S, H, W], track_iters [4, B, S, N, 2], vis and conf [B, S, N].
    """
    size = images.shape[-2], images.shape[-1]
    grid = size[0] // dimensions.patch, size[1] // dimensions.patch
    result: dict[str, Tensor] = {}
    with torch.no_grad():
        every_output = alternating_attention(weights, encode(weights, images, dimensions), grid, dimensions)
        tokens = [every_output[i] for i in dimensions.outputs]
        result["tokens"] = torch.stack(tokens)
        if "camera" in heads:
            result["pose_enc_iters"] = camera_head(weights, every_output[-1][:, :, 0], dimensions)
            result["extrinsic"], result["intrinsic"] = decode_pose(result["pose_enc_iters"][-1], size)
        if "depth" in heads:
            raw = dense_head(weights, "depth_head", tokens, grid, dimensions)
            result["depth"], result["depth_conf"] = raw[..., :1].exp(), 1 + raw[..., 1].exp()
        if "camera" in heads and "depth" in heads:
            result["unprojected"] = unproject(result["depth"], result["extrinsic"], result["intrinsic"])
        if "point" in heads:
            raw = dense_head(weights, "point_head", tokens, grid, dimensions)
            y = raw[..., :3]
            result["world_points"] = y.sign() * (y.abs().exp() - 1)
            result["world_points_conf"] = 1 + raw[..., 3].exp()
        if "track" in heads and query_points is not None:
            features = dense_features(weights, "track_head.feature_extractor", tokens, grid, dimensions, False)
            features = torch.unflatten(resized(features, (7 * grid[0], 7 * grid[1])), 0, images.shape[:2])
            points = query_points.to(images.dtype)
            result["track_iters"], result["vis"], result["conf"] = track(weights, features, points, dimensions)
    return result


# Parts that all sections use


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(weights: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def convolution(weights: Weights, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride, padding)


def mlp(weights: Weights, name: str, x: Tensor) -> Tensor:
    return linear(weights, f"{name}.fc2", F.gelu(linear(weights, f"{name}.fc1", x), approximate=GELU))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., T, C] to [..., heads, T, C / heads]."""
    return torch.unflatten(x, -1, (heads, -1)).transpose(-3, -2)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention [..., heads, T, D] to [..., T, heads D], scale 1 / sqrt(D)."""
    return F.scaled_dot_product_attention(q, k, v).transpose(-3, -2).flatten(-2)


def block(weights: Weights, name: str, x: Tensor, heads: int, eps: float, positions: Tensor | None = None) -> Tensor:
    """A pre-norm block with LayerScale on x [n, T, C]; with positions [n, T, 2] also q/k norm and rotary embedding."""
    q, k, v = linear(weights, f"{name}.attn.qkv", norm(weights, f"{name}.norm1", x, eps)).chunk(3, -1)
    q, k, v = split_heads(q, heads), split_heads(k, heads), split_heads(v, heads)
    if positions is not None:
        q = rotated(norm(weights, f"{name}.attn.q_norm", q, eps), positions)
        k = rotated(norm(weights, f"{name}.attn.k_norm", k, eps), positions)
    x = x + weights[f"{name}.ls1.gamma"] * linear(weights, f"{name}.attn.proj", attention(q, k, v))
    return x + weights[f"{name}.ls2.gamma"] * mlp(weights, f"{name}.mlp", norm(weights, f"{name}.norm2", x, eps))


def rotated(x: Tensor, positions: Tensor) -> Tensor:
    """x [n, heads, T, D]: the first half of D turned by the row, the second by the column of positions [n, T, 2]."""
    half = x.shape[-1] // 2
    parts = (rotated_half(x[..., :half], positions[..., 0]), rotated_half(x[..., half:], positions[..., 1]))
    return torch.cat(parts, -1)


def rotated_half(t: Tensor, position: Tensor) -> Tensor:
    """Pairs (t_j, t_{j+n}) of t [n, heads, T, 2n] turned by position * base^(-j / n)."""
    first, second = t.chunk(2, -1)
    n = first.shape[-1]
    frequencies = ROTARY_BASE ** (-torch.arange(n, dtype=torch.float64, device=t.device) / n)
    angles = position[:, None, :, None].double() * frequencies
    cos, sin = angles.cos().to(t.dtype), angles.sin().to(t.dtype)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


# Encoder and alternating attention


def encode(weights: Weights, images: Tensor, dimensions: Dimensions) -> Tensor:
    """Patch tokens [B, S, h w, C] of images [B, S, 3, H, W]."""
    at = "aggregator.patch_embed"
    mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    pixels = ((images - mean) / deviation).flatten(0, 1)
    patches = convolution(weights, f"{at}.patch_embed.proj", pixels, stride=dimensions.patch)
    table = position_table(weights[f"{at}.pos_embed"], dimensions.table, (patches.shape[2], patches.shape[3]))
    frames = len(patches)
    x = torch.cat([weights[f"{at}.cls_token"].expand(frames, -1, -1), patches.flatten(2).transpose(1, 2)], 1) + table
    x = torch.cat([x[:, :1], weights[f"{at}.register_tokens"].expand(frames, -1, -1), x[:, 1:]], 1)
    for i in range(dimensions.encoder_blocks):
        x = block(weights, f"{at}.blocks.{i}", x, dimensions.encoder_heads, ENCODER_EPS)
    x = norm(weights, f"{at}.norm", x, ENCODER_EPS)
    return torch.unflatten(x[:, dimensions.special :], 0, images.shape[:2])


def position_table(table: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """The learned positions [1, 1 + h w, C]: as stored for the trained size, else the grid resampled in float32."""
    if grid == (side, side):
        return table
    # Channels last in memory: in another order torch 2.13 resizes wrongly to a single column (vggt/test_encoder.py).
    image = torch.unflatten(table[:, 1:], 1, (side, side)).permute(0, 3, 1, 2).float()
    image = F.interpolate(image, grid, mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([table[:, :1], image.flatten(2).transpose(1, 2).to(table.dtype)], 1)


def alternating_attention(
    weights: Weights, patches: Tensor, grid: tuple[int, int], dimensions: Dimensions
) -> list[Tensor]:
    """All pairs' outputs, each [B, S, P, 2C]: of the frame block, then of the global block."""
    scenes, frames = patches.shape[:2]
    first, other = weights["aggregator.camera_token"][0], weights["aggregator.register_token"][0]
    slots = torch.tensor([0] + [1] * (frames - 1), device=patches.device)
    special = torch.cat([first[slots], other[slots]], 1).expand(scenes, -1, -1, -1)
    x = torch.cat([special, patches], 2)
    positions = patch_positions(grid, dimensions.special).to(x.device)
    outputs = []
    for i in range(dimensions.pairs):
        name = f"aggregator.frame_blocks.{i}"
        turn = positions.expand(scenes * frames, -1, -1)
        x = torch.unflatten(block(weights, name, x.flatten(0, 1), dimensions.heads, EPS, turn), 0, (scenes, frames))
        of_frame = x
        name = f"aggregator.global_blocks.{i}"
        turn = positions.repeat(frames, 1).expand(scenes, -1, -1)
        x = torch.unflatten(block(weights, name, x.flatten(1, 2), dimensions.heads, EPS, turn), 1, (frames, -1))
        outputs.append(torch.cat([of_frame, x], -1))
    return outputs


def patch_positions(grid: tuple[int, int], special: int) -> Tensor:
    """(row, column) of the tokens of a frame [P, 2]: special tokens at (0, 0), patches from (1, 1)."""
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    patches = torch.stack([rows, columns], -1).flatten(0, 1) + FIRST_PATCH_POSITION
    return torch.cat([patches.new_zeros(special, 2), patches])


# Camera head


def camera_head(weights: Weights, tokens: Tensor, dimensions: Dimensions) -> Tensor:
    """Reported encodings [iterations, B, S, 9] from camera tokens [B, S, C]."""
    x = norm(weights, "camera_head.token_norm", tokens, EPS)
    encoding: Tensor | None = None
    reports = []
    for _ in range(dimensions.camera_iterations):
        condition = weights["camera_head.empty_pose_tokens"].expand(*x.shape[:2], -1) if encoding is None else encoding
        m = F.silu(linear(weights, "camera_head.embed_pose", condition))
        shift, scale, gate = linear(weights, "camera_head.poseLN_modulation.1", m).chunk(3, -1)
        y = x + gate * (F.layer_norm(x, x.shape[-1:], eps=MODULATED_EPS) * (1 + scale) + shift)
        for i in range(dimensions.camera_blocks):
            y = block(weights, f"camera_head.trunk.{i}", y, dimensions.camera_heads, EPS)
        delta = mlp(weights, "camera_head.pose_branch", norm(weights, "camera_head.trunk_norm", y, EPS))
        encoding = delta if encoding is None else encoding + delta
        reports.append(torch.cat([encoding[..., :7], encoding[..., 7:].relu()], -1))
    return torch.stack(reports)


def decode_pose(encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """camera_from_world [B, S, 3, 4] and intrinsics [B, S, 3, 3] of encodings [B, S, 9]; a view of 0 gives f = inf."""
    height, width = size
    x, y, z, w = encoding[..., 3:7].unbind(-1)
    two = 2 / (x * x + y * y + z * z + w * w)
    rows = [
        *[1 - two * (y * y + z * z), two * (x * y - z * w), two * (x * z + y * w)],
        *[two * (x * y + z * w), 1 - two * (x * x + z * z), two * (y * z - x * w)],
        *[two * (x * z - y * w), two * (y * z + x * w), 1 - two * (x * x + y * y)],
    ]
    rotation = torch.unflatten(torch.stack(rows, -1), -1, (3, 3))
    intrinsic = encoding.new_zeros(*encoding.shape[:2], 3, 3)
    intrinsic[..., 0, 0] = width / 2 / (encoding[..., 8] / 2).tan()
    intrinsic[..., 1, 1] = height / 2 / (encoding[..., 7] / 2).tan()
    intrinsic[..., 0, 2], intrinsic[..., 1, 2], intrinsic[..., 2, 2] = width / 2, height / 2, 1
    return torch.cat([rotation, encoding[..., :3, None]], -1), intrinsic


def unproject(depth: Tensor, extrinsic: Tensor, intrinsic: Tensor) -> Tensor:
    """World points [B, S, H, W, 3] of depth [B, S, H, W, 1]; pixels are integers from 0."""
    d = depth[..., 0]
    v, u = torch.meshgrid(torch.arange(d.shape[2]), torch.arange(d.shape[3]), indexing="ij")
    fx, fy, cx, cy = (intrinsic[..., i, j, None, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    in_camera = torch.stack([(u.to(d) - cx) * d / fx, (v.to(d) - cy) * d / fy, d], -1)
    moved = in_camera.float().to(d.dtype) - extrinsic[:, :, None, None, :, 3]
    return torch.einsum("bsji,bshwj->bshwi", extrinsic[..., :3], moved)


# Dense heads


def dense_head(
    weights: Weights, name: str, tokens: list[Tensor], grid: tuple[int, int], dimensions: Dimensions
) -> Tensor:
    """Raw values [B, S, H, W, n], before any activation."""
    size = grid[0] * dimensions.patch, grid[1] * dimensions.patch
    x = resized(dense_features(weights, name, tokens, grid, dimensions, True), size)
    x = x + position_map(x, size)
    x = convolution(weights, f"{name}.scratch.output_conv2.0", x, padding=1).relu()
    x = convolution(weights, f"{name}.scratch.output_conv2.2", x)
    return torch.unflatten(x, 0, tokens[0].shape[:2]).permute(0, 1, 3, 4, 2)


def dense_features(
    weights: Weights, name: str, tokens: list[Tensor], grid: tuple[int, int], dimensions: Dimensions, mapped: bool
) -> Tensor:
    """The fused map [B S, C, 8h, 8w] after output_conv1."""
    size = grid[0] * dimensions.patch, grid[1] * dimensions.patch
    maps = []
    for k, output in enumerate(tokens):
        x = norm(weights, f"{name}.norm", output[:, :, dimensions.special :].flatten(0, 1), EPS)
        x = convolution(weights, f"{name}.projects.{k}", torch.unflatten(x.transpose(1, 2), 2, grid))
        if mapped:
            x = x + position_map(x, size)
        x = convolution(weights, f"{name}.scratch.layer{k + 1}_rn", to_scale(weights, name, k, x), padding=1)
        maps.append(x)
    at = f"{name}.scratch.refinenet"
    x = resized(residual_unit(weights, f"{at}4.resConfUnit2", maps[3]), (maps[2].shape[2], maps[2].shape[3]))
    x = convolution(weights, f"{at}4.out_conv", x)
    for stage in (3, 2, 1):
        lateral = maps[stage - 1]
        x = x + residual_unit(weights, f"{at}{stage}.resConfUnit1", lateral)
        x = residual_unit(weights, f"{at}{stage}.resConfUnit2", x)
        finer = maps[stage - 2].shape[2:] if stage > 1 else [2 * side for side in lateral.shape[2:]]
        x = convolution(weights, f"{at}{stage}.out_conv", resized(x, (finer[0], finer[1])))
    return convolution(weights, f"{name}.scratch.output_conv1", x, padding=1)


def to_scale(weights: Weights, name: str, k: int, x: Tensor) -> Tensor:
    """Map k at its own scale: 4, 2, 1 and 1/2 times the patch grid."""
    layer = f"{name}.resize_layers.{k}"
    if k == 2:
        return x
    if k == 3:
        return convolution(weights, layer, x, stride=2, padding=1)
    return F.conv_transpose2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], stride=(4, 2)[k])


def residual_unit(weights: Weights, name: str, x: Tensor) -> Tensor:
    """The skip carries the rectified input."""
    r = x.relu()
    y = convolution(weights, f"{name}.conv1", r, padding=1).relu()
    return r + convolution(weights, f"{name}.conv2", y, padding=1)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def position_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """What is added to x [n, C, gh, gw] of an image of `size` (H, W): [C, gh, gw], float64 rounded to float32."""
    channels, height, width = x.shape[1:]
    aspect = size[1] / size[0]
    reach_x = aspect / math.sqrt(aspect**2 + 1) * (width - 1) / width
    reach_y = 1 / math.sqrt(aspect**2 + 1) * (height - 1) / height
    u = torch.linspace(-reach_x, reach_x, width, dtype=torch.float64)
    v = torch.linspace(-reach_y, reach_y, height, dtype=torch.float64)
    return (MAP_SCALE * waves(u, v, channels, MAP_BASE).float()).to(x)


def waves(u: Tensor, v: Tensor, channels: int, base: float) -> Tensor:
    """[C, gh, gw]: sin(u w), cos(u w), sin(v w), cos(v w), a quarter of the channels each, w_k = base^(-4k / C)."""
    quarter = channels // 4
    frequencies = base ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    rows, columns = torch.meshgrid(v, u, indexing="ij")
    by_column, by_row = (frequencies[:, None, None] * grid for grid in (columns, rows))
    return torch.cat([by_column.sin(), by_column.cos(), by_row.sin(), by_row.cos()])


# Track head


def track(
    weights: Weights, features: Tensor, query_points: Tensor, dimensions: Dimensions
) -> tuple[Tensor, Tensor, Tensor]:
    """Tracks [iterations, B, S, N, 2] in pixels, visibility and confidence [B, S, N] of features [B, S, C, 7h, 7w]."""
    at = "track_head.tracker"
    features = norm(weights, f"{at}.fmap_norm", features.movedim(2, -1), EPS).movedim(-1, 2)
    frames = features.shape[1]
    query = query_points / 2
    coords = query[:, None].expand(-1, frames, -1, -1)
    tracked = sampled(features[:, 0], query, "border").transpose(1, 2)[:, None].expand(-1, frames, -1, -1)
    pyramid = [features]
    for _ in range(dimensions.pyramid_levels - 1):
        pyramid.append(torch.unflatten(F.avg_pool2d(pyramid[-1].flatten(0, 1), 2), 0, features.shape[:2]))
    where = where_points_start(features, query, weights[f"{at}.query_ref_token"].shape[-1])
    reference = weights[f"{at}.query_ref_token"][0, [0] + [1] * (frames - 1)][:, None]
    reports = []
    for _ in range(dimensions.track_iterations):
        seen = mlp(weights, f"{at}.corr_mlp", correlations(pyramid, tracked, coords, dimensions.radius))
        flow = embedded_flow(coords - coords[:, :1], dimensions.flow_embedding)
        x = torch.cat([flow, seen, tracked], -1) + where + reference
        step = updateformer(weights, f"{at}.updateformer", x, dimensions)
        change = F.group_norm(
            step[..., 2:].flatten(0, 2), 1, weights[f"{at}.ffeat_norm.weight"], weights[f"{at}.ffeat_norm.bias"], EPS
        ).view_as(tracked)
        tracked = tracked + F.gelu(linear(weights, f"{at}.ffeat_updater.0", change), approximate=GELU)
        coords = torch.cat([query[:, None], (coords + step[..., :2])[:, 1:]], 1)
        reports.append(2 * coords)
    visible = linear(weights, f"{at}.vis_predictor.0", tracked)[..., 0].sigmoid()
    sure = linear(weights, f"{at}.conf_predictor.0", tracked)[..., 0].sigmoid()
    return torch.stack(reports), visible, sure


def sampled(images: Tensor, points: Tensor, outside: str) -> Tensor:
    """Values [n, C, N] of images [n, C, H, W] at points (x, y) [n, N, 2], bilinear, pixel centres at integers."""
    last = points.new_tensor([max(images.shape[3] - 1, 1), max(images.shape[2] - 1, 1)])
    place = (points * 2 / last - 1)[:, None]
    return F.grid_sample(images, place, mode="bilinear", padding_mode=outside, align_corners=True)[:, :, 0]


def where_points_start(features: Tensor, query: Tensor, channels: int) -> Tensor:
    """The position vector [B, 1, N, C] of the queries, equal in all frames."""
    u, v = (torch.arange(n, dtype=torch.float64) for n in (features.shape[-1], features.shape[-2]))
    grid = waves(u, v, channels, 10000.0).to(features)
    return sampled(grid.expand(len(query), -1, -1, -1), query, "border").transpose(1, 2)[:, None]


def correlations(pyramid: list[Tensor], tracked: Tensor, coords: Tensor, radius: int) -> Tensor:
    """[B, S, N, levels (2 radius + 1)^2]: level-major, then the offset in x, then in y."""
    offsets = torch.arange(-radius, radius + 1).to(coords)
    window = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), -1).flatten(0, 1)
    values = []
    for level, features in enumerate(pyramid):
        whole = torch.einsum("bsnc,bschw->bsnhw", tracked, features) / math.sqrt(tracked.shape[-1])
        points = coords[..., None, :] / 2**level + window
        near = sampled(whole.flatten(0, 2)[:, None], points.flatten(0, 2), "zeros")
        values.append(torch.unflatten(near[:, 0], 0, coords.shape[:3]))
    return torch.cat(values, -1)


def embedded_flow(flow: Tensor, size: int) -> Tensor:
    """[..., 2 size + 4] of flow [..., 2]: sin and cos in turn for x, then for y, then the flow itself twice."""
    frequencies = 2 * torch.arange(size // 2).to(flow) * (1000 / size)
    angles = flow[..., None] * frequencies
    embedding = torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)
    return torch.cat([embedding, flow / FLOW_DIVISOR, flow / FLOW_DIVISOR], -1)


def updateformer(weights: Weights, name: str, x: Tensor, dimensions: Dimensions) -> Tensor:
    """Steps [B, S, N, 2 + C] from x [B, S, N, D]."""
    heads, virtual_tracks = dimensions.track_heads, dimensions.virtual_tracks
    start = linear(weights, f"{name}.input_transform", norm(weights, f"{name}.input_norm", x, EPS))
    virtual = weights[f"{name}.virual_tracks"].transpose(1, 2).expand(*start.shape[:2], -1, -1)
    x = torch.cat([start, virtual], 2)
    for i in range(dimensions.track_blocks):
        x = track_block(weights, f"{name}.time_blocks.{i}", x.transpose(1, 2), None, heads).transpose(1, 2)
        points, virtual = x[:, :, :-virtual_tracks], x[:, :, -virtual_tracks:]
        virtual = track_block(weights, f"{name}.space_virtual2point_blocks.{i}", virtual, points, heads)
        virtual = track_block(weights, f"{name}.space_virtual_blocks.{i}", virtual, None, heads)
        points = track_block(weights, f"{name}.space_point2virtual_blocks.{i}", points, virtual, heads)
        x = torch.cat([points, virtual], 2)
    x = norm(weights, f"{name}.output_norm", x[:, :, :-virtual_tracks] + start, EPS)
    return linear(weights, f"{name}.flow_head", x)


def track_block(weights: Weights, name: str, x: Tensor, context: Tensor | None, heads: int) -> Tensor:
    """A block on x [B, A, T, C] that normalises the stream itself; attends to `context`, or to x where that is None."""
    x = norm(weights, f"{name}.norm1", x, EPS)
    attending = f"{name}.attn" if context is None else f"{name}.cross_attn"
    context = x if context is None else norm(weights, f"{name}.norm_context", context, EPS)
    matrix, bias = weights[f"{attending}.in_proj_weight"].chunk(3), weights[f"{attending}.in_proj_bias"].chunk(3)
    q, k, v = (split_heads(F.linear(y, matrix[i], bias[i]), heads) for i, y in enumerate((x, context, context)))
    x = x + linear(weights, f"{attending}.out_proj", attention(q, k, v))
    return x + mlp(weights, f"{name}.mlp", norm(weights, f"{name}.norm2", x, EPS))
