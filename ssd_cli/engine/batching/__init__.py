"""Several networks in one training step (`stack`), and steps that are captured as CUDA graphs (`graphs`)."""
