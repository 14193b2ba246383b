"""Pure rules: no sockets, no processes, no database."""
