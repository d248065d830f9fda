"""A network as a torch module: each layer's module, its weights in and out."""
