"""Small networks that judge augmentations; torch, loaded by workers only."""
