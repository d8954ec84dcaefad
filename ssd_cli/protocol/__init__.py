"""Which cases train and which test, and the seal between them."""
