"""The `framewell` command: what an operator asks of a running stack, over its own sockets."""
