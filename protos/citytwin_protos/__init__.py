"""The wire between a gateway and the hub: protobuf messages, codec and sans-I/O session."""
