"""Trained predictors as files for other runtimes: ONNX, with all parts in one graph, and torch.export."""
