import bpy
import numpy as np
import pytest

from vggt_addon.scene import attributes


def test_byte_colours_come_back_exactly() -> None:
    every_byte = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    mesh = attributes.new_points("p", np.zeros((256, 3), np.float32))
    attributes.set_attribute(mesh, "Color", every_byte, "POINT")
    back = np.empty(256 * 4, np.float32)
    mesh.attributes["Color"].data.foreach_get("color_srgb", back)
    back = back.reshape(-1, 4)
    np.testing.assert_array_equal(np.rint(back[:, :3] * 255), every_byte)
    assert (back[:, 3] == 1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_])
@pytest.mark.parametrize("domain", ["POINT", "FACE"])
def test_attributes_keep_type_domain_and_values(dtype: type, domain: str) -> None:
    positions = np.random.default_rng(0).random((6, 3), np.float32)
    mesh = attributes.new_faces("m", positions, np.array([[0, 1, 4, 3], [1, 2, 5, 4]], np.int32))
    values = np.array([0, 1, 0, 1, 1, 0])[: 6 if domain == "POINT" else 2].astype(dtype)
    attributes.set_attribute(mesh, "a", values, domain)
    back = np.empty(len(values), dtype)
    mesh.attributes["a"].data.foreach_get("value", back)
    np.testing.assert_array_equal(back, values)
    assert mesh.attributes["a"].domain == domain


def test_a_wrong_count_is_refused() -> None:
    mesh = attributes.new_points("p", np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match="4 values for 3 elements"):
        attributes.set_attribute(mesh, "a", np.zeros(4, np.float32), "POINT")


def test_faces_are_a_mesh_that_blender_finds_sound() -> None:
    positions = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]], np.float32)
    mesh = attributes.new_faces("m", positions, np.array([[0, 1, 2, 3], [1, 4, 5, 2]], np.int32))
    uv = np.random.default_rng(1).random((8, 2), np.float32)
    attributes.set_uv(mesh, "photo", uv)
    assert mesh.validate() is False  # nothing had to be mended
    assert (len(mesh.edges), len(mesh.loops), len(mesh.polygons)) == (7, 8, 2)
    assert [tuple(face.vertices) for face in mesh.polygons] == [(0, 1, 2, 3), (1, 4, 5, 2)]
    np.testing.assert_array_equal([tuple(corner.uv) for corner in mesh.uv_layers["photo"].data], uv)
    np.testing.assert_array_equal([tuple(vertex.co) for vertex in mesh.vertices], positions)


def test_nothing_at_all_is_fine() -> None:
    mesh = attributes.new_points("p", np.empty((0, 3), np.float32))
    attributes.set_attribute(mesh, "Color", np.empty((0, 3), np.uint8), "POINT")
    assert len(mesh.vertices) == 0


def test_pixels_go_in_and_out_the_right_way_up() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)
    image = bpy.data.images.new("i", 7, 5)
    attributes.set_pixels(image, pixels)
    np.testing.assert_array_equal(attributes.get_pixels(image), pixels)
    assert tuple(image.pixels[:3]) == pytest.approx(tuple(pixels[-1, 0] / 255), abs=1e-6)  # Blender starts below
