"""The parts of a procedural courtyard: shapes and colours in numpy, materials and light in Blender, the walk around it.

Everything is made from numbers by this package; nothing is loaded. World: metres, z up, the ground at z = 0.
"""
