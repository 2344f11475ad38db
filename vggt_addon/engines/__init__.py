"""What turns photos into a Reconstruction. Each engine has a room of its own; `registry` finds it by name."""
