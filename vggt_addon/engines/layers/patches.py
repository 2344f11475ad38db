"""A photo cut into square patches, each mapped to one token (Dosovitskiy et al. 2021, equation 1).

This module imports torch.
"""

from torch import Tensor, nn


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its size: (batch, 3, height, width) -> (batch, patches, channels), row-major."""

    def __init__(self, patch: int, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, kernel_size=patch, stride=patch)

    def forward(self, pictures: Tensor) -> Tensor:
        embedded: Tensor = self.proj(pictures.to(self.proj.weight.dtype))  # (batch, channels, h, w)
        return embedded.flatten(2).transpose(1, 2)
