"""Videos and cameras: reading, tracking of faces, the annotated copy, tables and report."""
