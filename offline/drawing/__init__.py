"""Pictures for people: annotated faces, and a confusion matrix."""
