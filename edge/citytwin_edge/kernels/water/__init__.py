"""Kernels of water networks."""
