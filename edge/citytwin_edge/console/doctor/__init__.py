"""The doctor: what is in order at a gateway and what is not, and for each what to do."""
