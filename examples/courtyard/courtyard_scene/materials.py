"""One procedural material with many grains: colour comes from the mesh, what is finer from noise in texture space."""

from dataclasses import dataclass

import bpy


@dataclass(frozen=True)
class Grain:
    """How a material's fine texture looks."""

    along: float = 1.0  # coarse features along x of texture space, in share of those across it: wood's grain
    scale: float = 5.0  # features per metre of the coarsest octave
    contrast: float = 1.0  # how far the noise moves the colour
    speckle: float = 0.5  # share of colour that single grains take
    speckle_scale: float = 160.0  # grains per metre
    bump: float = 0.004  # metres
    roughness: float = 0.85
    translucent: float = 0.0  # share of light that leaves let through


STONE = Grain()
PLASTER = Grain(scale=7.0, contrast=0.8, speckle=0.4, speckle_scale=200.0)
CLAY = Grain(scale=11.0, contrast=0.8, speckle=0.4, speckle_scale=260.0, bump=0.002)
WOOD = Grain(along=0.06, scale=55.0, contrast=1.5, speckle=0.4, speckle_scale=300.0, bump=0.003)
CLOTH = Grain(scale=40.0, contrast=0.9, speckle=0.7, speckle_scale=420.0, bump=0.002)
FRUIT = Grain(scale=22.0, contrast=0.8, speckle=0.5, speckle_scale=380.0, bump=0.0008, roughness=0.6)
LEAF = Grain(scale=45.0, contrast=1.2, speckle=0.45, speckle_scale=380.0, bump=0.001, roughness=0.65, translucent=0.3)
IRON = Grain(scale=30.0, contrast=1.4, speckle=0.7, speckle_scale=300.0, bump=0.0015, roughness=0.75)


class _Builder:
    """Adds nodes to a tree and links them as they are made."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree

    def add(self, kind: str, inputs: dict[str | int, object], **settings: object) -> bpy.types.Node:
        """A node with settings; inputs are sockets to link or values to set."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for name, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        return node

    def math(self, operation: str, *values: object) -> bpy.types.NodeSocket:
        """A Math node's result."""
        return self.add("ShaderNodeMath", dict(enumerate(values)), operation=operation).outputs[0]


def material(name: str, grain: Grain) -> bpy.types.Material:
    """A new material that reads the attributes `tint` and `texture` of its mesh."""
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    build = _Builder(tree)
    color = build.add("ShaderNodeAttribute", {}, attribute_name="tint").outputs["Color"]
    place = build.add("ShaderNodeAttribute", {}, attribute_name="texture").outputs["Vector"]
    stretched = build.add("ShaderNodeVectorMath", {0: place, 1: (grain.along, 1.0, 1.0)}, operation="MULTIPLY").outputs[
        0
    ]
    cloud = _noise(build, stretched, grain.scale, 5.0)
    fine = _noise(build, place, grain.scale * 13.7, 1.0)
    spots = build.add("ShaderNodeTexVoronoi", {"Vector": place, "Scale": grain.speckle_scale})
    single = build.add("ShaderNodeSeparateColor", {0: spots.outputs["Color"]}).outputs[0]
    tone = build.math("MULTIPLY_ADD", build.math("SUBTRACT", cloud, 0.5), 2.6 * grain.contrast, 1.0)
    tone = build.math("MULTIPLY_ADD", build.math("SUBTRACT", fine, 0.5), 1.1 * grain.contrast, tone)
    tone = build.math("MULTIPLY_ADD", build.math("SUBTRACT", single, 0.5), grain.speckle, tone)
    tone = build.math("MINIMUM", build.math("MAXIMUM", tone, 0.18), 1.9)
    toned = build.add("ShaderNodeVectorMath", {0: color, 1: tone}, operation="MULTIPLY").outputs[0]
    normal = build.add("ShaderNodeBump", {"Height": fine, "Distance": grain.bump, "Strength": 1.0}).outputs[0]
    surface = build.add(
        "ShaderNodeBsdfPrincipled",
        {"Base Color": toned, "Roughness": grain.roughness, "Normal": normal, "Specular IOR Level": 0.25},
    ).outputs[0]
    if grain.translucent > 0:
        through = build.add("ShaderNodeBsdfTranslucent", {"Color": toned}).outputs[0]
        surface = build.add("ShaderNodeMixShader", {0: grain.translucent, 1: surface, 2: through}).outputs[0]
    build.add("ShaderNodeOutputMaterial", {"Surface": surface})
    return made


def _noise(build: _Builder, place: bpy.types.NodeSocket, scale: float, octaves: float) -> bpy.types.NodeSocket:
    """Fractal noise in [0, 1]."""
    inputs = {"Vector": place, "Scale": scale, "Detail": octaves, "Roughness": 0.62}
    return build.add("ShaderNodeTexNoise", inputs).outputs[0]
