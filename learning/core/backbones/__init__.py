"""Pretrained backbones, one file each. Adding one: a new file here that uses `@backbone`; nothing else."""

from learning.core.backbones.base import BACKBONES, Backbone, backbone, prepare
from learning.core.registry import import_siblings

__all__ = ["BACKBONES", "Backbone", "backbone", "prepare"]

import_siblings(__name__, __path__)
