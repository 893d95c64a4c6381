"""What the host costs per image when the networks cost nothing."""
