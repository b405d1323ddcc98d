"""The worker runtime: nameko under eventlet, and the only package that knows either.

A process that runs workers calls `green.patch()` before it imports anything else, and then
`runner.run`.
"""
