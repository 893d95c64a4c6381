"""A lane: a thread that takes an image from its bytes to its faces; docs/adr/0010."""
