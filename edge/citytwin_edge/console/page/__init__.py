"""The gateway's own page: what the console's commands show, for a telephone beside the devices."""
