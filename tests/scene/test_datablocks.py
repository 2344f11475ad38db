import bpy

from vggt_addon.scene.datablocks import KINDS, temporary


def everything() -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def make_one_of_each() -> None:
    collection = bpy.data.collections.new("c")
    bpy.context.scene.collection.children.link(collection)
    for item in (
        bpy.data.objects.new("mesh", bpy.data.meshes.new("m")),
        bpy.data.objects.new("camera", bpy.data.cameras.new("m")),
        bpy.data.objects.new("empty", None),
    ):
        collection.objects.link(item)
    bpy.data.objects["mesh"].parent = bpy.data.objects["empty"]
    bpy.data.objects["mesh"].data.materials.append(bpy.data.materials.new("m"))
    bpy.data.objects["camera"].data.background_images.new().image = bpy.data.images.new("i", 2, 2)
    bpy.data.node_groups.new("g", "GeometryNodeTree")
    bpy.data.scenes.new("s").world = bpy.data.worlds.new("w")


def test_what_is_temporary_goes_and_nothing_else() -> None:
    before = everything()
    with temporary():
        make_one_of_each()
        assert everything() != before
    assert everything() == before
