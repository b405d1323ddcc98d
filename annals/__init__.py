"""The operator's shell: the command line and the processes it starts."""
