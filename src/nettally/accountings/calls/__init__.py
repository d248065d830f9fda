"""What tools print for a module, worked out from the calls that its forward made; a file a tool."""
