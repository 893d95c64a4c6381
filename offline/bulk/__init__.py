"""Libraries of images and videos, in parts that can run on many machines."""
