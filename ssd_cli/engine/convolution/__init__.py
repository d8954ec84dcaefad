"""Faster ways to compute the convolutions of a network in training. Each is registered in its file (`base.Convolution`)."""
