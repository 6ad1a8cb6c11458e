"""Commissioning: what a technician does at a device: find it, add it, check it, hand it over."""
