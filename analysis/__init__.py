"""The library that everything else uses: it turns encoded images into faces. See `analyze.py`."""
