"""The structure of image files: what a decoder needs of them, and what it will cost."""
