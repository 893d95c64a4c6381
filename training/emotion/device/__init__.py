"""A whole training on one device, views included, with nothing but PyTorch and numpy.

Where batches come from a processor, a GPU waits for them; here faces, views, steps and averages
stay on it. The networks are Keras', and so are the weights that come of them.
"""
