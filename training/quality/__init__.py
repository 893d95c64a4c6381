"""The quality of a face: how likely its emotion reading is that of a clear frontal view."""
