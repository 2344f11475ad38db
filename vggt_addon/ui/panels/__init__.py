"""What the sidebar's tab shows; drawing reads and does no work."""
