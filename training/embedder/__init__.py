"""Distillation of ArcFace's MobileFaceNet from a teacher of the same architecture."""
