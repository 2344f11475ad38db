"""Materials that show photos as they are: emission, so that no light of the scene changes them. And a plain world.

This module imports nothing beyond bpy and the room's own modules.
"""

import bpy

from .datablocks import claim


def points_material(name: str, attribute: str) -> bpy.types.Material:
    """Emits each point's own colour, the byte colour called `attribute`."""
    material, nodes, links = _empty(name)
    color = nodes.new("ShaderNodeAttribute")
    color.attribute_name = attribute
    color.location = (-400, 0)
    _emit(nodes, links, color.outputs["Color"])
    return material


def photo_material(name: str, image: bpy.types.Image, uv_layer: str) -> bpy.types.Material:
    """Emits `image` at the UVs of `uv_layer`; the picture's outermost pixels go on beyond its edge."""
    material, nodes, links = _empty(name)
    uv = nodes.new("ShaderNodeUVMap")
    uv.uv_map = uv_layer
    uv.location = (-700, 0)
    photo = nodes.new("ShaderNodeTexImage")
    photo.image = image
    photo.interpolation = "Linear"
    photo.extension = "EXTEND"
    photo.location = (-500, 0)
    links.new(uv.outputs["UV"], photo.inputs["Vector"])
    _emit(nodes, links, photo.outputs["Color"])
    nodes.active = photo  # what solid mode shows when it is set to show textures
    return material


def color_material(name: str, color: tuple[float, float, float]) -> bpy.types.Material:
    """Emits one linear colour."""
    material, nodes, links = _empty(name)
    rgb = nodes.new("ShaderNodeRGB")
    rgb.outputs[0].default_value = (*color, 1.0)
    _emit(nodes, links, rgb.outputs[0])
    return material


def plain_world(name: str, color: tuple[float, float, float]) -> bpy.types.World:
    """A world of one linear colour."""
    world = claim(bpy.data.worlds.new(name))
    world.color = color  # what solid mode shows
    nodes, links = _node_tree(world)
    background, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    background.inputs["Color"].default_value = (*color, 1.0)
    links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def _empty(name: str) -> tuple[bpy.types.Material, bpy.types.Nodes, bpy.types.NodeLinks]:
    material = claim(bpy.data.materials.new(name))
    nodes, links = _node_tree(material)
    cycles = getattr(material, "cycles", None)  # absent where the Cycles add-on is off
    if cycles is not None:
        cycles.emission_sampling = "NONE"  # a photo is no lamp; a light tree over millions of faces takes minutes
    return material, nodes, links


def _node_tree(owner: bpy.types.Material | bpy.types.World) -> tuple[bpy.types.Nodes, bpy.types.NodeLinks]:
    if owner.node_tree is None:  # from 5.0 on it is there, and setting use_nodes is deprecated
        owner.use_nodes = True
    owner.node_tree.nodes.clear()
    return owner.node_tree.nodes, owner.node_tree.links


def _emit(nodes: bpy.types.Nodes, links: bpy.types.NodeLinks, color: bpy.types.NodeSocket) -> None:
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.location, output.location = (-150, 0), (50, 0)
    links.new(color, emission.inputs["Color"])
    links.new(emission.outputs["Emission"], output.inputs["Surface"])
