"""Other means to compute the convolutions of a network in training: one file registers each of them (`base.Convolution`)."""
