"""A Reconstruction as a Blender scene: the only room, with `ui`, that imports bpy."""
