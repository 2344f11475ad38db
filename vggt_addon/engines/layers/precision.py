"""Layers that compute in the dtype of their own weights, so that precision is chosen by casting weights.

This module imports torch.

The published VGGT runs its blocks under CUDA autocast: matrix products and attention in half precision, everything
else (residual stream, LayerNorm, rotary angles, LayerScale, heads) in float32. Here the same rounding points follow
from the weights alone: `halve_linear_weights` casts the matrices of the blocks, each layer casts its input to the
dtype of its weights, and no autocast context is needed, on any device.
"""

from torch import Tensor, dtype, nn
from torch.nn import functional


class Linear(nn.Linear):
    """y = x Wᵀ + b in the dtype of W: (..., inputs) -> (..., outputs)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.linear(tokens.to(self.weight.dtype), self.weight, self.bias)

    def part(self, tokens: Tensor, start: int, stop: int) -> Tensor:
        """Outputs start..stop alone: (..., inputs) -> (..., stop - start)."""
        return functional.linear(tokens.to(self.weight.dtype), self.weight[start:stop], self.bias[start:stop])


class LayerNorm(nn.LayerNorm):
    """Normalisation over the last axis in the dtype of its scale; a half-precision input is widened first."""

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.layer_norm(
            tokens.to(self.weight.dtype), self.normalized_shape, self.weight, self.bias, self.eps
        )


def halve_linear_weights(module: nn.Module, half: dtype) -> None:
    """Cast the weights and biases of every Linear and Conv2d inside `module` to `half`, in place.

    For encoders and blocks: the convolutions of the dense heads do not cast their input. What is left alone: norms,
    LayerScale, tokens, position tables, and so the residual stream.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.to(half)
