"""What the artist touches in Blender: properties, panels, operators, and the controller behind them."""
