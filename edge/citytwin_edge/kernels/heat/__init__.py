"""Heat: power and energy in water networks."""
