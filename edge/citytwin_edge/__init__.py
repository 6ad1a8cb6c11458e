"""The gateway: reads field devices, keeps every sample and brings it to the hub."""
