"""What a scene keeps of its photos and settings: one group, `scene.vggt`, saved with the .blend and under undo.

What only this session knows (a running job, a thumbnail) is in `session`, not here.
This module imports bpy only, and the room's neighbours.
"""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..settings import FRAMES_PER_CLIP, POINT_BUDGET
from . import controller

ENGINES = (
    (
        "auto",
        "Automatic",
        "VGGT where weights and a GPU with enough memory are there, otherwise the built-in engine",
    ),
    (
        "sfm",
        "Built-in",
        "Classical structure from motion on the processor: needs photos that overlap well, and nothing else",
    ),
    ("vggt", "VGGT", "A neural network: from one photo up, depth for every pixel; wants a GPU, needs weights"),
    ("dust3r", "DUSt3R", "A neural network that compares photos in pairs: for few photos; wants a GPU, needs weights"),
)
FOCALS = (
    ("network", "From the Photos", "As the engine sees it in each photo"),
    ("shared", "One for Each Lens", "One focal length for all photos of a lens; wrong where a zoom was turned"),
    ("exif", "From the Files", "The focal length that the camera wrote into the file, where it did"),
    ("known", "Known", "One that you know, for all photos"),
)
FRAMINGS = (
    ("whole", "Whole", "No pixel of a photo is lost"),
    ("crop", "Crop", "Tall photos lose their top and bottom, as in VGGT's published loader"),
    ("pad", "Pad", "Every photo in a white square, as in VGGT's published loader"),
)
POINTS = (
    ("depth", "Depth", "From depth and cameras: the more exact"),
    ("head", "Point Head", "From the network's own points, which need not agree with its depth"),
)
DEVICES = (
    ("auto", "Automatic", "The GPU where there is one"),
    ("cuda", "NVIDIA GPU", "CUDA"),
    ("mps", "Apple GPU", "Metal"),
    ("cpu", "Processor", "Works everywhere, and takes minutes"),
)
PRECISIONS = (
    ("auto", "Automatic", "What suits the device"),
    ("float32", "Full", "32 bits: the most exact, the slowest"),
    ("bfloat16", "Half (bfloat16)", "Half the memory; poses and depth differ by less than a per cent"),
    ("float16", "Half (float16)", "For GPUs that lack bfloat16"),
)


def _changed(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    controller.settings_changed()


class VGGT_PG_photo(bpy.types.PropertyGroup):
    """One photo or clip of the list. All but `path` and `use` is what the worker found in the file."""

    path: StringProperty(name="File", subtype="FILE_PATH", description="Where the photo lies")
    use: BoolProperty(name="Use", default=True, update=_changed, description="Use this photo in the reconstruction")
    width: IntProperty(name="Width", description="Pixels, upright")
    height: IntProperty(name="Height", description="Pixels, upright")
    focal: FloatProperty(name="Focal Length", description="Pixels, as the file claims; 0 where it says nothing")
    seconds: FloatProperty(name="Duration", description="Seconds of a clip; 0 for a photo")
    frames: IntProperty(name="Frames", description="How many frames a clip has; 0 for a photo")
    problem: StringProperty(name="Problem", description="Why the photo cannot be used")
    mask: StringProperty(name="Mask", description="The picture beside the photo that says what of it is used")
    remark: StringProperty(name="Remark", description="What of the file is not used")


class VGGT_PG_scene(bpy.types.PropertyGroup):
    """The photos of a scene, and how they are to be reconstructed."""

    photos: CollectionProperty(type=VGGT_PG_photo)
    active_photo: IntProperty(name="Photo", options={"SKIP_SAVE"}, description="The photo that the buttons act on")
    reference: StringProperty(
        name="Reference",
        subtype="FILE_PATH",
        update=_changed,
        description="The photo that the scene opens on; empty: the first",
    )
    engine: EnumProperty(
        name="Engine", items=ENGINES, update=_changed, description="What finds the cameras and measures depth"
    )
    depth_size: IntProperty(
        name="Depth Detail",
        default=512,
        min=64,
        soft_max=1024,
        max=4096,
        step=64,
        subtype="PIXEL",
        update=_changed,
        description="Long side of each photo's depth map: more shows finer shapes and takes longer (built-in engine)",
    )
    point_budget: IntProperty(
        name="Points",
        default=POINT_BUDGET,
        min=1000,
        soft_max=5_000_000,
        max=50_000_000,
        description="How many points the cloud has at most",
    )
    frames_per_clip: IntProperty(
        name="Frames per Clip",
        default=FRAMES_PER_CLIP,
        min=1,
        soft_min=2,
        soft_max=100,
        max=10_000,
        update=_changed,
        description="How many frames of each clip are used at most: sharp ones, spread over the camera's way",
    )
    sequence: BoolProperty(
        name="Photos in Walking Order",
        update=_changed,
        description="By their names the photos are frames of one walk: only neighbours are compared, which is quicker",
    )
    focal: EnumProperty(name="Focal Length", items=FOCALS, update=_changed, description="Where it comes from")
    points_from: EnumProperty(
        name="Points From", items=POINTS, update=_changed, description="What the coloured cloud is made of (VGGT)"
    )
    focal_millimetres: FloatProperty(
        name="Millimeters",
        default=35.0,
        min=9.0,
        max=1008.0,
        precision=1,
        update=_changed,
        description="Focal length of a lens that shows as much on a 36 mm wide film",
    )
    device: EnumProperty(name="Device", items=DEVICES, update=_changed, description="What the network runs on")
    precision: EnumProperty(
        name="Precision", items=PRECISIONS, update=_changed, description="Of the network's products; half is quicker"
    )
    framing: EnumProperty(
        name="Framing", items=FRAMINGS, update=_changed, description="How photos are put into the network's picture"
    )
    input_size: IntProperty(
        name="Input Size",
        default=518,
        min=140,
        max=1036,
        step=14,
        subtype="PIXEL",
        update=_changed,
        description="Long side of the network's picture: VGGT takes the multiple of 14 below, DUSt3R that of 16; less "
        "is quicker and shows less",
    )
    clean: BoolProperty(
        name="Hide Floating Points",
        update=_changed,
        description="Points that float before what a surer photo sees there are not trusted (DUSt3R)",
    )
    memory_limit: FloatProperty(
        name="Memory Limit",
        default=0.0,
        min=0.0,
        max=1000.0,
        precision=1,
        update=_changed,
        description="Gigabytes that a run may take on its device; 0: what is free",
    )
    seed: IntProperty(
        name="Seed", min=0, update=_changed, description="The same photos, settings and seed give the same result"
    )


CLASSES = (VGGT_PG_photo, VGGT_PG_scene)


def register() -> None:
    """Add `scene.vggt`."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.vggt = PointerProperty(type=VGGT_PG_scene)


def unregister() -> None:
    """Take `scene.vggt` away; what a .blend holds of it stays in the file."""
    del bpy.types.Scene.vggt
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
