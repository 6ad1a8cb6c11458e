"""Anomaly: what is out of the ordinary at a point, learnt from the point itself, sample by sample.

One chain for every point: kernels say how far a value is from what they expect, calibrations turn
that into how seldom it is, fusion and recurrence into one score, a budget into alarms. The chain is
written once (chain.py): numpy runs it over the channels of a batch, numba over its samples.
"""
