"""The names that Blender knows our classes by, so that no panel spells an operator's name.

This module imports nothing.
"""

CATEGORY = "VGGT"  # the sidebar's tab

ADD_PHOTOS = "vggt.add_photos"
ADD_FOLDER = "vggt.add_folder"
DROP_PHOTOS = "vggt.drop_photos"
REMOVE_PHOTO = "vggt.remove_photo"
CLEAR_PHOTOS = "vggt.clear_photos"
MOVE_PHOTO = "vggt.move_photo"
USE_PHOTOS = "vggt.use_photos"
SET_REFERENCE = "vggt.set_reference"
RECONSTRUCT = "vggt.reconstruct"
CANCEL = "vggt.cancel"
DISMISS = "vggt.dismiss_message"
OPEN_CAPTURE = "vggt.open_capture"
REBUILD_CAPTURE = "vggt.rebuild_capture"
REMOVE_CAPTURE = "vggt.remove_capture"
SHOW_PART = "vggt.show_part"
SHOW_COLORS = "vggt.show_colors"
LOOK_THROUGH = "vggt.look_through"
OPEN_LOG = "vggt.open_log"
COPY_REPORT = "vggt.copy_report"
INSTALL_RUNTIME = "vggt.install_runtime"
INSTALL_ARCHIVE = "vggt.install_archive"
MEND_RUNTIME = "vggt.mend_runtime"
REMOVE_RUNTIME = "vggt.remove_runtime"
DOWNLOAD_WEIGHTS = "vggt.download_weights"
USE_WEIGHTS = "vggt.use_weights"
CANCEL_ERRAND = "vggt.cancel_errand"
DISMISS_ERRAND = "vggt.dismiss_errand"
COPY_DIAGNOSIS = "vggt.copy_diagnosis"

MENU = "VGGT_MT_capture"
PHOTO_LIST = "VGGT_UL_photos"
DROP_HANDLER = "VGGT_FH_photos"
