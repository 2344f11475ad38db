"""The inputs of a Geometry Nodes modifier by name, in every Blender from 4.2 to 5.2.

Up to 5.1 an input is a custom property of the modifier, `modifier["Socket_2"]`; from 5.2 on it is
`modifier.properties.inputs.Socket_2.value`. Nothing else in the extension knows the difference.
This module imports nothing beyond bpy.
"""

from typing import Any

import bpy

AS_PROPERTIES = bpy.app.version >= (5, 2, 0)


def set_input(modifier: bpy.types.NodesModifier, name: str, value: Any) -> None:
    """Set the input called `name`. Raises KeyError where the node group has none."""
    identifier = _identifier(modifier, name)
    if AS_PROPERTIES:
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value
    modifier.id_data.update_tag()


def get_input(modifier: bpy.types.NodesModifier, name: str) -> Any:
    """The value of the input called `name`, before drivers. Raises KeyError where the node group has none."""
    identifier = _identifier(modifier, name)
    if AS_PROPERTIES:
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def drive_input(modifier: bpy.types.NodesModifier, name: str, source: bpy.types.ID, prop: str) -> None:
    """Let the input called `name` follow the custom property `prop` of `source`.

    The driver sums one variable: no Python expression, so it runs in files that Blender does not trust.
    """
    identifier = _identifier(modifier, name)
    if AS_PROPERTIES:
        curve = getattr(modifier.properties.inputs, identifier).driver_add("value")
    else:
        curve = modifier.id_data.driver_add(f'modifiers["{modifier.name}"]["{identifier}"]')
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id = source
    variable.targets[0].data_path = f'["{prop}"]'


def _identifier(modifier: bpy.types.NodesModifier, name: str) -> str:
    for item in modifier.node_group.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name == name:
            return str(item.identifier)
    raise KeyError(f"{modifier.node_group.name} has no input called {name}")
