import bpy

from vggt_addon.scene.node_groups import points_group, relief_group


def test_one_group_of_each_however_often_it_is_asked_for() -> None:
    first = points_group(), relief_group()
    assert (points_group(), relief_group()) == first
    assert len(bpy.data.node_groups) == 2


def test_a_renamed_group_is_still_the_one() -> None:
    group = relief_group()
    group.name = "my reliefs"
    assert relief_group() == group


def test_a_group_that_the_artist_changed_is_left_alone_and_not_used() -> None:
    group = relief_group()
    group.nodes["Delete Geometry"].mode = "ONLY_FACE"
    fresh = relief_group()
    assert fresh != group
    assert group.nodes["Delete Geometry"].mode == "ONLY_FACE"
    group.nodes["Delete Geometry"].mode = "ALL"
    group.links.remove(group.links[0])
    assert relief_group() == fresh


def test_a_group_of_the_same_name_that_is_not_ours_is_not_used() -> None:
    theirs = bpy.data.node_groups.new("Capture Points", "GeometryNodeTree")
    assert points_group() != theirs
    assert len(theirs.nodes) == 0


def test_no_nodes_are_left_unlinked() -> None:
    for group in (points_group(), relief_group()):
        ends = {link.from_node for link in group.links} | {link.to_node for link in group.links}
        assert ends == set(group.nodes)
