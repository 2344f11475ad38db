from pathlib import Path

import bpy
import pytest

from vggt_addon.scene import materials


def reached(material: bpy.types.Material) -> list[str]:
    """The nodes that lead to the material's surface, from the output backwards."""
    chain, node = [], material.node_tree.get_output_node("ALL")
    while node is not None:
        chain.append(node.bl_idname)
        links = [link for socket in node.inputs for link in socket.links]
        node = links[0].from_node if links else None
    return chain


def test_a_photo_is_emitted_at_its_uvs(photo: Path) -> None:
    image = bpy.data.images.load(str(photo))
    material = materials.photo_material("leaf", image, "photo")
    assert reached(material) == [
        "ShaderNodeOutputMaterial",
        "ShaderNodeEmission",
        "ShaderNodeTexImage",
        "ShaderNodeUVMap",
    ]
    texture = material.node_tree.nodes.active
    assert (texture.image, texture.extension, texture.interpolation) == (image, "EXTEND", "Linear")


def test_points_emit_their_own_colour() -> None:
    material = materials.points_material("cloud", "Color")
    assert reached(material) == ["ShaderNodeOutputMaterial", "ShaderNodeEmission", "ShaderNodeAttribute"]
    assert material.node_tree.nodes["Attribute"].attribute_name == "Color"


def test_no_photo_is_sampled_as_a_lamp(photo: Path) -> None:
    image = bpy.data.images.load(str(photo))
    made = (
        materials.photo_material("a", image, "photo"),
        materials.points_material("b", "Color"),
        materials.color_material("c", (1.0, 0.5, 0.0)),
    )
    assert {material.cycles.emission_sampling for material in made} == {"NONE"}
    (rgb,) = [node for node in made[2].node_tree.nodes if node.bl_idname == "ShaderNodeRGB"]
    assert tuple(rgb.outputs[0].default_value) == pytest.approx((1.0, 0.5, 0.0, 1.0))


def test_a_plain_world_is_its_colour_and_nothing_else() -> None:
    world = materials.plain_world("night", (0.01, 0.02, 0.03))
    assert [node.bl_idname for node in world.node_tree.nodes] == ["ShaderNodeBackground", "ShaderNodeOutputWorld"]
    assert tuple(world.node_tree.nodes[0].inputs["Color"].default_value) == pytest.approx((0.01, 0.02, 0.03, 1.0))
    assert len(world.node_tree.links) == 1
