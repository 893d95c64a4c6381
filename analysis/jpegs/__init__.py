"""JPEG images: libjpeg-turbo decodes them on the CPU, or a decoder of a GPU does."""
