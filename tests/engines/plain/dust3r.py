"""DUSt3R in the plainest form: pure functions over a state dict, the judge of the network that is shipped.

Both pictures of every pair are encoded, and nothing is shared, chunked or cached; imports torch only, and nothing of
the package. Every number that a reader may doubt is a constant below, so that a test can change it and see that the
goldens notice. Shapes: B pairs, H x W pixels, h x w patches, T = h w tokens, C channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor

Weights = Mapping[str, Tensor]

EPS = 1e-6
ROTARY_BASE = 100.0
GELU = "none"  # the exact form


@dataclass(frozen=True)
class Dimensions:
    """What the weights' shapes do not say. The values are the published network's."""

    patch: int = 16
    encoder_blocks: int = 24
    encoder_heads: int = 16
    decoder_blocks: int = 12
    decoder_heads: int = 12
    head_steps: tuple[int, ...] = (6, 9, 12)  # the decoder's states that the heads read, beside the encoder's output


def dimensions(meta: Mapping[str, Any]) -> Dimensions:
    """The dimensions that a golden's meta states."""
    if meta["config"] == "full":
        return Dimensions()
    reduced = meta["reduced"]
    encoder, decoder = reduced["encoder"], reduced["decoder"]
    return Dimensions(reduced["patch"], encoder["blocks"], encoder["heads"], decoder["blocks"], decoder["heads"])


def run(weights: Weights, image1: Tensor, image2: Tensor, dimensions: Dimensions) -> dict[str, Any]:
    """Everything the network says of the pairs image1 [B, 3, H1, W1], image2 [B, 3, H2, W2] (RGB, 0..1).

    In the weights' dtype. Keys of the result: pts3d_1 [B, H1, W1, 3] and pts3d_2_in_1 [B, H2, W2, 3], both in the frame
    of camera 1, conf_1, conf_2 without the last axis, encoder_tokens: of all pictures 1, then of all pictures 2,
    [2B, T, C], or a list of two where the sizes differ.
    """
    with torch.no_grad():
        tokens1, positions1 = encode(weights, image1, dimensions)
        tokens2, positions2 = encode(weights, image2, dimensions)
        steps1, steps2 = decode(weights, tokens1, tokens2, positions1, positions2, dimensions)
        points1, confidence1 = dense_head(weights, "downstream_head1", steps1, grid_of(image1, dimensions), dimensions)
        points2, confidence2 = dense_head(weights, "downstream_head2", steps2, grid_of(image2, dimensions), dimensions)
    same = tokens1.shape == tokens2.shape
    return {
        "pts3d_1": points1,
        "conf_1": confidence1,
        "pts3d_2_in_1": points2,
        "conf_2": confidence2,
        "encoder_tokens": torch.cat([tokens1, tokens2]) if same else [tokens1, tokens2],
    }


# Parts that all sections use


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)


def convolution(weights: Weights, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride, padding)


def mlp(weights: Weights, name: str, x: Tensor) -> Tensor:
    return linear(weights, f"{name}.fc2", F.gelu(linear(weights, f"{name}.fc1", x), approximate=GELU))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, T, C] to [B, heads, T, C / heads]."""
    return torch.unflatten(x, -1, (heads, -1)).transpose(1, 2)


def attention(q: Tensor, k: Tensor, v: Tensor, of_queries: Tensor, of_keys: Tensor) -> Tensor:
    """Attention [B, heads, T, D] to [B, T, heads D] with q, k turned by their positions, scale 1 / sqrt(D)."""
    return F.scaled_dot_product_attention(rotated(q, of_queries), rotated(k, of_keys), v).transpose(1, 2).flatten(2)


def self_attention(weights: Weights, name: str, x: Tensor, positions: Tensor, heads: int) -> Tensor:
    q, k, v = (split_heads(part, heads) for part in linear(weights, f"{name}.qkv", x).chunk(3, -1))
    return linear(weights, f"{name}.proj", attention(q, k, v, positions, positions))


def cross_attention(
    weights: Weights, name: str, x: Tensor, memory: Tensor, of_x: Tensor, of_memory: Tensor, heads: int
) -> Tensor:
    q = split_heads(linear(weights, f"{name}.projq", x), heads)
    k = split_heads(linear(weights, f"{name}.projk", memory), heads)
    v = split_heads(linear(weights, f"{name}.projv", memory), heads)
    return linear(weights, f"{name}.proj", attention(q, k, v, of_x, of_memory))


def rotated(x: Tensor, positions: Tensor) -> Tensor:
    """x [B, heads, T, D]: the first half of D turned by the row, the second by the column of positions [T, 2]."""
    half = x.shape[-1] // 2
    return torch.cat(
        [rotated_half(x[..., :half], positions[:, 0]), rotated_half(x[..., half:], positions[:, 1])], dim=-1
    )


def rotated_half(t: Tensor, position: Tensor) -> Tensor:
    """Pairs (t_j, t_{j+n}) of t [B, heads, T, 2n] turned by position * base^(-j / n)."""
    first, second = t.chunk(2, -1)
    n = first.shape[-1]
    angles = position[:, None].double() * ROTARY_BASE ** (-torch.arange(n, dtype=torch.float64) / n)
    cos, sin = angles.cos().to(t), angles.sin().to(t)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


# Encoder and decoder


def grid_of(image: Tensor, dimensions: Dimensions) -> tuple[int, int]:
    return image.shape[2] // dimensions.patch, image.shape[3] // dimensions.patch


def encode(weights: Weights, image: Tensor, dimensions: Dimensions) -> tuple[Tensor, Tensor]:
    """Tokens [B, T, C] of image [B, 3, H, W], and their (row, column) [T, 2]. Only differences of positions count."""
    x = convolution(weights, "patch_embed.proj", (image - 0.5) / 0.5, stride=dimensions.patch)
    rows, columns = torch.meshgrid(torch.arange(x.shape[2]), torch.arange(x.shape[3]), indexing="ij")
    positions = torch.stack([rows, columns], -1).flatten(0, 1)
    x = x.flatten(2).transpose(1, 2)
    for i in range(dimensions.encoder_blocks):
        at = f"enc_blocks.{i}"
        normed = norm(weights, f"{at}.norm1", x)
        x = x + self_attention(weights, f"{at}.attn", normed, positions, dimensions.encoder_heads)
        x = x + mlp(weights, f"{at}.mlp", norm(weights, f"{at}.norm2", x))
    return norm(weights, "enc_norm", x), positions


def decode(
    weights: Weights, tokens1: Tensor, tokens2: Tensor, positions1: Tensor, positions2: Tensor, dimensions: Dimensions
) -> tuple[list[Tensor], list[Tensor]]:
    """Of either side: the encoder's tokens, then the state after every step; the last one is normed."""
    heads = dimensions.decoder_heads
    x1, x2 = linear(weights, "decoder_embed", tokens1), linear(weights, "decoder_embed", tokens2)
    steps1, steps2 = [tokens1], [tokens2]
    for i in range(dimensions.decoder_blocks):
        new1 = decoder_block(weights, f"dec_blocks.{i}", x1, x2, positions1, positions2, heads)
        new2 = decoder_block(weights, f"dec_blocks2.{i}", x2, x1, positions2, positions1, heads)
        x1, x2 = new1, new2
        steps1.append(x1)
        steps2.append(x2)
    steps1[-1], steps2[-1] = norm(weights, "dec_norm", x1), norm(weights, "dec_norm", x2)
    return steps1, steps2


def decoder_block(
    weights: Weights, name: str, x: Tensor, memory: Tensor, of_x: Tensor, of_memory: Tensor, heads: int
) -> Tensor:
    x = x + self_attention(weights, f"{name}.attn", norm(weights, f"{name}.norm1", x), of_x, heads)
    normed, memory = norm(weights, f"{name}.norm2", x), norm(weights, f"{name}.norm_y", memory)
    x = x + cross_attention(weights, f"{name}.cross_attn", normed, memory, of_x, of_memory, heads)
    return x + mlp(weights, f"{name}.mlp", norm(weights, f"{name}.norm3", x))


# Dense heads


def dense_head(
    weights: Weights, side: str, steps: list[Tensor], grid: tuple[int, int], dimensions: Dimensions
) -> tuple[Tensor, Tensor]:
    """Points [B, H, W, 3] in the frame of camera 1 and confidence [B, H, W]."""
    name = f"{side}.dpt"
    maps = []
    for k, step in enumerate((0, *dimensions.head_steps)):
        x = torch.unflatten(steps[step].transpose(1, 2), 2, grid)
        x = to_scale(weights, name, k, convolution(weights, f"{name}.act_postprocess.{k}.0", x))
        maps.append(convolution(weights, f"{name}.scratch.layer{k + 1}_rn", x, padding=1))
    at = f"{name}.scratch.refinenet"
    x = convolution(weights, f"{at}4.out_conv", doubled(residual_unit(weights, f"{at}4.resConfUnit2", maps[3])))
    x = x[:, :, : maps[2].shape[2], : maps[2].shape[3]]
    for stage in (3, 2, 1):
        x = x + residual_unit(weights, f"{at}{stage}.resConfUnit1", maps[stage - 1])
        x = doubled(residual_unit(weights, f"{at}{stage}.resConfUnit2", x))
        x = convolution(weights, f"{at}{stage}.out_conv", x)
    x = doubled(convolution(weights, f"{name}.head.0", x, padding=1))
    x = convolution(weights, f"{name}.head.2", x, padding=1).relu()
    x = convolution(weights, f"{name}.head.4", x).movedim(1, -1)
    distance = x[..., :3].norm(dim=-1, keepdim=True)
    return x[..., :3] / distance.clamp(min=1e-8) * (distance.exp() - 1), 1 + x[..., 3].exp()


def to_scale(weights: Weights, name: str, k: int, x: Tensor) -> Tensor:
    """Map k at its own scale: 4, 2, 1 and 1/2 times the patch grid."""
    layer = f"{name}.act_postprocess.{k}.1"
    if k == 2:
        return x
    if k == 3:
        return convolution(weights, layer, x, stride=2, padding=1)
    return F.conv_transpose2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], stride=(4, 2)[k])


def residual_unit(weights: Weights, name: str, x: Tensor) -> Tensor:
    """The skip carries x itself."""
    y = convolution(weights, f"{name}.conv1", x.relu(), padding=1).relu()
    return x + convolution(weights, f"{name}.conv2", y, padding=1)


def doubled(x: Tensor) -> Tensor:
    """x [B, C, h, w] at [2h, 2w], bilinear, the corners kept."""
    return F.interpolate(x, (2 * x.shape[2], 2 * x.shape[3]), mode="bilinear", align_corners=True)
