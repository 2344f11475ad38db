"""Attention against the formula and against torch's own module; blocks in pieces against blocks whole."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vggt_addon.engines.layers.attention import CrossAttention, PackedAttention, SelfAttention, attend
from vggt_addon.engines.layers.blocks import Block, DecoderBlock, attend_in_pieces
from vggt_addon.engines.layers.rotary import rotary_table

CHUNKS = [1, 2, 3, 5, 7, 11, 12, 13, 1000]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(module: Any) -> Any:
    """`module` in float64 with random parameters."""
    module.double()
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64, generator=generator) / 3
    return module.requires_grad_(False)


def by_formula(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, head by head: (B, T, heads, d) -> (B, T, heads * d)."""
    scores = torch.einsum("bqhd,bkhd->bhqk", queries, keys) / math.sqrt(queries.shape[-1])
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), values).flatten(2)


def test_attend_is_the_formula() -> None:
    queries, keys, values = noise(2, 5, 3, 4), noise(2, 7, 3, 4, seed=1), noise(2, 7, 3, 4, seed=2)
    torch.testing.assert_close(attend(queries, keys, values), by_formula(queries, keys, values), rtol=0, atol=1e-13)


def test_packed_attention_is_torchs_own() -> None:
    ours = filled(PackedAttention(12, 3))
    torchs: Any = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    torchs.load_state_dict(ours.state_dict())  # the same names, the same shapes
    tokens, context = noise(2, 5, 12), noise(2, 7, 12, seed=1)
    wanted = torchs(tokens, context, context, need_weights=False)[0]
    torch.testing.assert_close(ours(tokens, context), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("normed", [False, True])
def test_self_attention_is_packed_as_queries_keys_values_each_head_major(normed: bool) -> None:
    attention = filled(SelfAttention(12, 3, query_key_norm=normed))
    tokens = noise(2, 5, 12)
    projected = tokens @ attention.qkv.weight.T + attention.qkv.bias
    queries, keys, values = (
        torch.stack([part[..., 4 * head : 4 * head + 4] for head in range(3)], dim=2)
        for part in (projected[..., :12], projected[..., 12:24], projected[..., 24:])
    )
    if normed:
        queries, keys = (
            (given - given.mean(-1, keepdim=True))
            / (given.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
            * norm.weight
            + norm.bias
            for given, norm in ((queries, attention.q_norm), (keys, attention.k_norm))
        )
    wanted = by_formula(queries, keys, values) @ attention.proj.weight.T + attention.proj.bias
    found = attention(tokens, *attention.keys_values(tokens, None), None)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_cross_attention_turns_queries_and_keys_by_their_own_positions() -> None:
    attention = filled(CrossAttention(16, 2))
    tokens, memory = noise(1, 6, 16), noise(1, 4, 16, seed=1)
    own, other = (rotary_table(*grid, 8, first_position=0, like=tokens) for grid in ((2, 3), (4, 1)))
    split = (-1, (2, 8))
    queries = own.rotate((tokens @ attention.projq.weight.T + attention.projq.bias).unflatten(*split))
    keys = other.rotate((memory @ attention.projk.weight.T + attention.projk.bias).unflatten(*split))
    values = (memory @ attention.projv.weight.T + attention.projv.bias).unflatten(*split)
    wanted = by_formula(queries, keys, values) @ attention.proj.weight.T + attention.proj.bias
    found = attention(tokens, *attention.keys_values(memory, other), own)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("photos", [1, 2])
@pytest.mark.parametrize("norms", [False, True])
def test_a_block_in_pieces_is_the_block(chunk: int, photos: int, norms: bool) -> None:
    block = filled(Block(16, 2, norm_eps=1e-5, layer_scale=norms, query_key_norm=norms))
    rotary = rotary_table(2, 3, 8, first_position=1, like=noise(1))  # each photo's 6 tokens
    tokens = noise(2, 6 * photos, 16)
    whole, pieces = tokens.clone(), tokens.clone()
    block(whole, rotary, 10**6)
    block(pieces, rotary, chunk)
    assert not torch.equal(whole, tokens)
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-12)


def test_a_block_by_its_formula() -> None:
    block = filled(Block(16, 2, norm_eps=1e-5, layer_scale=True))
    tokens = noise(1, 5, 16)
    changed = tokens.clone()
    block(changed, None, 100)
    normed = block.norm1(tokens)
    middle = tokens + block.ls1.gamma * block.attn(normed, *block.attn.keys_values(normed, None), None)
    wanted = middle + block.ls2.gamma * block.mlp(block.norm2(middle))
    torch.testing.assert_close(changed, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_decoder_block_in_pieces_by_its_formula(chunk: int) -> None:
    block = filled(DecoderBlock(16, 2, norm_eps=1e-6))
    tokens, memory = noise(2, 12, 16), noise(2, 4, 16, seed=1)
    own, other = (rotary_table(*grid, 8, first_position=0, like=tokens) for grid in ((3, 4), (2, 2)))
    changed = tokens.clone()
    block(changed, own, block.read(memory, other), chunk)
    normed = block.norm1(tokens)
    wanted = tokens + block.attn(normed, *block.attn.keys_values(normed, own), own)
    seen = block.cross_attn.keys_values(block.norm_y(memory), other)
    wanted = wanted + block.cross_attn(block.norm2(wanted), *seen, own)
    wanted = wanted + block.mlp(block.norm3(wanted))
    torch.testing.assert_close(changed, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 4, 5, 12, 13])
def test_pieces_are_views_and_see_the_sequence_as_it_was(chunk: int) -> None:
    """A caller that spoils every piece at once must not change what later pieces gather."""
    attention, norm = filled(SelfAttention(16, 2)), filled(Block(16, 2, norm_eps=1e-5, layer_scale=False)).norm1
    tokens = noise(1, 12, 16)
    normed = norm(tokens)
    wanted = attention(normed, *attention.keys_values(normed, None), None)
    spoiled = tokens.clone()
    gathered = []
    for part, attended, _ in attend_in_pieces(norm, attention, spoiled, None, chunk):
        gathered.append(attended)
        part.fill_(100.0)
    torch.testing.assert_close(torch.cat(gathered, dim=1), wanted, rtol=0, atol=1e-12)
    assert torch.equal(spoiled, torch.full_like(spoiled, 100.0))
    assert [piece.shape[1] for piece in gathered] == [min(chunk, 12 - start) for start in range(0, 12, chunk)]
