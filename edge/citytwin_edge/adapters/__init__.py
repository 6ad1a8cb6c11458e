"""Adapters: one module for each protocol; a driver is imported in its adapter only."""
