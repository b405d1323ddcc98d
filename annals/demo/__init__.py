"""The demonstration: a believable company's year, played in through the public commands."""
