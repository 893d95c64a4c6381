"""Coverage-guided fuzzing of decoding and parsing."""
