"""Traffic: what detectors on roads tell of flow, density, speed and incidents."""
