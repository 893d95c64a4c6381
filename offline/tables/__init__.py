"""Results as tables: one row per face, one row per image or frame."""
