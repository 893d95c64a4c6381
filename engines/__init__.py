"""What a model is and how to run it: catalog, weights, plans and runners."""
