"""What the artist can do: each operator reads its properties, calls the controller or the scene room, and reports."""
