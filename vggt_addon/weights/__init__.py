"""Network weights: read as data and never run, put into a network whole or not at all, written as safetensors."""
