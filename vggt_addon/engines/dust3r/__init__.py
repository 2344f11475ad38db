"""DUSt3R: Geometric 3D Vision Made Easy (Wang et al., CVPR 2024), written from a specification of its numbers."""
