"""Kernels: calculations on batches at the gateway, one file each; no I/O and no clock."""
