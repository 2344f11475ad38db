"""Rotary embedding: angles by hand, and tables that cover sequences of photos."""

import itertools
import math

import pytest
import torch

from vggt_addon.engines.layers.rotary import RotaryTable, rotary_table

DOUBLE = torch.zeros((), dtype=torch.float64)


def table(height: int, width: int, head_dim: int, first_position: int = 0, special_tokens: int = 0) -> RotaryTable:
    return rotary_table(
        height, width, head_dim, first_position=first_position, special_tokens=special_tokens, like=DOUBLE
    )


def test_each_value_turns_with_its_pair_by_its_angle() -> None:
    """Head of 8: values 0, 1 pair with 2, 3 and turn with the row, 4, 5 with 6, 7 and turn with the column."""
    rotary = table(3, 4, 8, first_position=1, special_tokens=2)
    row, column = 2, 3  # the patch in the second row and third column: positions start at 1
    token = 2 + (row - 1) * 4 + (column - 1)
    turns = {(0, 2): row * 1.0, (1, 3): row * 0.1, (4, 6): column * 1.0, (5, 7): column * 0.1}  # 100^(-j/2): 1, 0.1
    for (first, second), angle in turns.items():
        for value, other, sign in ((first, second, 1), (second, first, -1)):
            vectors = torch.zeros(14, 1, 8, dtype=torch.float64)
            vectors[:, 0, value] = 1
            wanted = torch.zeros(8, dtype=torch.float64)
            wanted[value], wanted[other] = math.cos(angle), sign * math.sin(angle)
            torch.testing.assert_close(rotary.rotate(vectors)[token, 0], wanted, rtol=0, atol=1e-15)


def test_special_tokens_and_position_0_are_left_as_they_are() -> None:
    vectors = torch.randn(5 + 6, 3, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rotated = table(2, 3, 16, first_position=1, special_tokens=5).rotate(vectors)
    assert torch.equal(rotated[:5], vectors[:5])
    assert not any(torch.equal(rotated[token], vectors[token]) for token in range(5, 11))
    at_start = table(2, 3, 16).rotate(vectors[:6])
    assert torch.equal(at_start[0], vectors[0])  # DUSt3R's first patch


def test_products_depend_on_the_difference_of_positions_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    query, key = torch.randn(2, 1, 32, dtype=torch.float64, generator=generator)
    near, far = table(4, 5, 32, first_position=0), table(4, 5, 32, first_position=7)
    products = [
        rotary.rotate(query.expand(20, 1, 32)).flatten(1) @ rotary.rotate(key.expand(20, 1, 32)).flatten(1).T
        for rotary in (near, far)
    ]
    torch.testing.assert_close(*products, rtol=0, atol=1e-12)
    assert (products[0] - products[0][0, 0]).abs().max() > 0.1


def test_lengths_are_kept_and_inputs_are_not_changed() -> None:
    vectors = torch.randn(2, 6, 3, 8, generator=torch.Generator().manual_seed(2))
    before = vectors.clone()
    rotated = rotary_table(2, 3, 8, first_position=0, like=vectors).rotate(vectors)
    assert torch.equal(vectors, before) and rotated.shape == vectors.shape
    torch.testing.assert_close(rotated.norm(dim=-1), vectors.norm(dim=-1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_tables_are_never_half_precision(dtype: torch.dtype) -> None:
    made = rotary_table(3, 60, 16, first_position=1, like=torch.zeros((), dtype=dtype))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert made.cosine.dtype == made.sine.dtype == wide
    angle = torch.tensor(60 * 100**-0.25, dtype=torch.float64)  # 18.97; a bfloat16 of that size is off by up to 0.06
    torch.testing.assert_close(made.cosine[-1, 0, 1, 1].double(), angle.cos(), rtol=0, atol=1e-7)
    rotated = made.rotate(torch.ones(180, 1, 16, dtype=dtype))
    assert rotated.dtype == wide


def test_frequencies_of_the_published_head() -> None:
    """Head of 64: 16 pairs an axis, value j turns by position * 100^(-2j/32)."""
    rotary = table(1, 8, 64)
    for pair in range(16):
        angle = 7 * 100 ** (-2 * pair / 32)
        assert float(rotary.sine[7, 0, 1, pair]) == pytest.approx(math.sin(angle), abs=1e-14)
        assert float(rotary.cosine[7, 0, 1, pair]) == pytest.approx(math.cos(angle), abs=1e-14)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_span_is_that_part_of_the_repeated_table(frames: int) -> None:
    rotary = table(2, 2, 8, first_position=1, special_tokens=1)
    period = 5
    for start, stop in itertools.combinations(range(frames * period + 1), 2):
        part = rotary.span(start, stop)
        for found, whole in ((part.cosine, rotary.cosine), (part.sine, rotary.sine)):
            assert torch.equal(found, whole.repeat(frames, 1, 1, 1)[start:stop]), (start, stop)
