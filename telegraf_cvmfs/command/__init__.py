"""The command: options, the terminal, exit codes, execd; the only print and the only clock."""
