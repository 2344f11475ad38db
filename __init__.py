"""The extension as Blender loads it: everything is in `vggt_addon`, which runs without Blender, too."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from .vggt_addon import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled, and when it quits."""
    from .vggt_addon import registration

    registration.unregister()
