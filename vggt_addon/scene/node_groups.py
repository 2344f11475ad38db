"""The two Geometry Nodes groups: points by radius and threshold, reliefs cut by edge and threshold.

A .blend holds one of each, however many captures it has. A group that the artist has changed is left alone and not
used again: a fresh one is made beside it.
This module imports nothing beyond the standard library, bpy and the room's own modules.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import bpy

from .datablocks import claim

VERSION = 1  # raise it whenever a builder below changes, so that older files keep the group they were made with
MARK = "vggt_addon_group"


def points_group() -> bpy.types.GeometryNodeTree:
    """Vertices to points. Inputs: Geometry, Radius (local units), Confidence Threshold, Material."""
    return _shared("Capture Points", _build_points)


def relief_group() -> bpy.types.GeometryNodeTree:
    """Faces cut. Inputs: Geometry, Confidence Threshold, Cut Depth Edges."""
    return _shared("Capture Relief", _build_relief)


def _build_points(group: bpy.types.GeometryNodeTree) -> None:
    _socket(group, "Geometry", "NodeSocketGeometry")
    _socket(group, "Geometry", "NodeSocketGeometry", output=True)
    _socket(group, "Radius", "NodeSocketFloat", default=0.01, low=0.0, subtype="DISTANCE")
    _socket(group, "Confidence Threshold", "NodeSocketFloat", default=0.0, low=0.0, high=1.0, subtype="FACTOR")
    _socket(group, "Material", "NodeSocketMaterial")
    inputs, output = _ends(group)
    low = _low_confidence(group, inputs)
    high = _node(group, "FunctionNodeBooleanMath", -200, -150, operation="NOT")
    points = _node(group, "GeometryNodeMeshToPoints", 0, 0, mode="VERTICES")
    material = _node(group, "GeometryNodeSetMaterial", 200, 0)
    _link(
        group,
        (low, high.inputs[0]),
        (inputs.outputs["Geometry"], points.inputs["Mesh"]),
        (high.outputs[0], points.inputs["Selection"]),
        (inputs.outputs["Radius"], points.inputs["Radius"]),
        (points.outputs[0], material.inputs["Geometry"]),
        (inputs.outputs["Material"], material.inputs["Material"]),
        (material.outputs[0], output.inputs["Geometry"]),
    )


def _build_relief(group: bpy.types.GeometryNodeTree) -> None:
    _socket(group, "Geometry", "NodeSocketGeometry")
    _socket(group, "Geometry", "NodeSocketGeometry", output=True)
    _socket(group, "Confidence Threshold", "NodeSocketFloat", default=0.0, low=0.0, high=1.0, subtype="FACTOR")
    _socket(group, "Cut Depth Edges", "NodeSocketBool", default=True)
    inputs, output = _ends(group)
    low = _low_confidence(group, inputs)
    edge = _node(group, "GeometryNodeInputNamedAttribute", -600, -400, data_type="BOOLEAN")
    edge.inputs["Name"].default_value = "depth_edge"
    cut = _node(group, "FunctionNodeBooleanMath", -400, -400, operation="AND")
    either = _node(group, "FunctionNodeBooleanMath", -200, -200, operation="OR")
    # ALL and not the quicker ONLY_FACE, whose left-over edges and vertices the viewport draws in black.
    delete = _node(group, "GeometryNodeDeleteGeometry", 0, 0, domain="FACE", mode="ALL")
    _link(
        group,
        (edge.outputs["Attribute"], cut.inputs[0]),
        (inputs.outputs["Cut Depth Edges"], cut.inputs[1]),
        (low, either.inputs[0]),
        (cut.outputs[0], either.inputs[1]),
        (inputs.outputs["Geometry"], delete.inputs["Geometry"]),
        (either.outputs[0], delete.inputs["Selection"]),
        (delete.outputs[0], output.inputs["Geometry"]),
    )


def _low_confidence(group: bpy.types.GeometryNodeTree, inputs: bpy.types.Node) -> bpy.types.NodeSocket:
    """confidence < threshold, strictly: at a threshold of 0 everything is shown."""
    confidence = _node(group, "GeometryNodeInputNamedAttribute", -600, -150, data_type="FLOAT")
    confidence.inputs["Name"].default_value = "confidence"
    less = _node(group, "FunctionNodeCompare", -400, -150, data_type="FLOAT", operation="LESS_THAN")
    _link(
        group,
        (confidence.outputs["Attribute"], less.inputs["A"]),
        (inputs.outputs["Confidence Threshold"], less.inputs["B"]),
    )
    return less.outputs["Result"]


def _shared(name: str, build: Callable[[bpy.types.GeometryNodeTree], None]) -> bpy.types.GeometryNodeTree:
    """The group of that name as we built it: found by its mark and unchanged since, or built now."""
    for group in bpy.data.node_groups:
        if group.get(MARK) == f"{name} {VERSION} {_fingerprint(group)}":
            return group
    group = claim(bpy.data.node_groups.new(name, "GeometryNodeTree"))
    group.is_modifier = True
    build(group)
    group[MARK] = f"{name} {VERSION} {_fingerprint(group)}"
    return group


def _fingerprint(group: bpy.types.GeometryNodeTree) -> str:
    """What the group does, as a hash: sockets, nodes with their modes and unlinked values, links."""
    parts = []
    for item in group.interface.items_tree:
        if item.item_type == "SOCKET":
            parts.append((item.in_out, item.name, item.socket_type, item.identifier))
    for node in group.nodes:
        modes = [str(getattr(node, key, "")) for key in ("domain", "mode", "operation", "data_type", "mute")]
        values = [_plain(s.default_value) for s in node.inputs if not s.is_linked and hasattr(s, "default_value")]
        parts.append((node.bl_idname, node.name, *modes, *values))
    for link in group.links:
        ends = (link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier)
        parts.append(ends)
    return hashlib.sha256(repr(sorted(map(repr, parts))).encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    if isinstance(value, bpy.types.ID):
        return value.name
    return repr(tuple(value)) if hasattr(value, "__len__") and not isinstance(value, str) else repr(value)


def _socket(
    group: bpy.types.GeometryNodeTree,
    name: str,
    kind: str,
    *,
    output: bool = False,
    default: float | bool | None = None,
    low: float | None = None,
    high: float | None = None,
    subtype: str | None = None,
) -> None:
    socket = group.interface.new_socket(name, in_out="OUTPUT" if output else "INPUT", socket_type=kind)
    for key, value in (("subtype", subtype), ("min_value", low), ("max_value", high), ("default_value", default)):
        if value is not None:
            setattr(socket, key, value)


def _ends(group: bpy.types.GeometryNodeTree) -> tuple[bpy.types.Node, bpy.types.Node]:
    return _node(group, "NodeGroupInput", -800, 0), _node(group, "NodeGroupOutput", 400, 0)


def _node(group: bpy.types.NodeTree, kind: str, x: float, y: float, **settings: str) -> bpy.types.Node:
    node = group.nodes.new(kind)
    node.location = (x, y)
    for key, value in settings.items():
        setattr(node, key, value)
    return node


def _link(group: bpy.types.NodeTree, *pairs: tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]) -> None:
    for source, target in pairs:
        group.links.new(source, target)
