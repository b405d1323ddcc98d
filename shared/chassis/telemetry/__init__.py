"""What an operator sees of a running process: metrics, traces, and whether it lives and is ready.

Nothing here knows a name, a text or a key of anybody's: labels and attributes name parts of the
system, counts and seconds.
"""
