"""Version 1 of the wire: the protobuf definitions and the code generated from them."""
