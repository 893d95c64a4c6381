"""Images and request bodies to send: sound, malicious and damaged ones."""
