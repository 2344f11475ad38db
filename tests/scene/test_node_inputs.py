from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.scene import attributes, node_inputs
from vggt_addon.scene.node_groups import points_group


@pytest.fixture
def modifier(scene: Any) -> Any:
    mesh = attributes.new_points("p", np.zeros((4, 3), np.float32))
    attributes.set_attribute(mesh, "confidence", np.array([0.1, 0.3, 0.5, 0.7], np.float32), "POINT")
    holder = bpy.data.objects.new("p", mesh)
    scene.collection.objects.link(holder)
    made = holder.modifiers.new("Points", "NODES")
    made.node_group = points_group()
    return made


def shown(holder: Any) -> int:
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    return sum(len(item.object.data.points) for item in graph.object_instances if item.object.type == "POINTCLOUD")


def test_an_input_is_set_and_read_by_name(modifier: Any) -> None:
    node_inputs.set_input(modifier, "Radius", 0.25)
    node_inputs.set_input(modifier, "Confidence Threshold", 0.4)
    assert node_inputs.get_input(modifier, "Radius") == 0.25
    assert shown(modifier.id_data) == 2
    node_inputs.set_input(modifier, "Confidence Threshold", 0.6)
    assert shown(modifier.id_data) == 1


def test_a_material_is_an_input_too(modifier: Any) -> None:
    material = bpy.data.materials.new("m")
    node_inputs.set_input(modifier, "Material", material)
    assert node_inputs.get_input(modifier, "Material") == material


def test_a_driven_input_follows_a_custom_property(modifier: Any, scene: Any) -> None:
    source = bpy.data.objects.new("source", None)
    scene.collection.objects.link(source)
    source["limit"] = 0.0
    node_inputs.drive_input(modifier, "Confidence Threshold", source, "limit")
    counts = []
    for limit in (0.0, 0.2, 0.4, 0.9):
        source["limit"] = limit
        source.update_tag()
        counts.append(shown(modifier.id_data))
    assert counts == [4, 3, 2, 0]


def test_an_unknown_input_is_named(modifier: Any) -> None:
    with pytest.raises(KeyError, match="Capture Points has no input called Colour"):
        node_inputs.set_input(modifier, "Colour", 1.0)
