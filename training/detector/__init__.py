"""Distillation of RetinaFace-mobilenet0.25 from a teacher of the same architecture."""
