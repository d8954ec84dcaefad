"""Trained predictors as files that other runtimes run: ONNX with all its parts in one graph, and torch.export."""
