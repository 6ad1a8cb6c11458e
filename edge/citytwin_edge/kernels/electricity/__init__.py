"""Electricity: unbalance, power factor and energy of intervals."""
