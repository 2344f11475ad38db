"""VGGT: Visual Geometry Grounded Transformer (Wang et al., CVPR 2025), written from a specification of its numbers."""
