"""From an encoded image to its faces: decode, detect, place landmarks, cut, classify, embed."""
