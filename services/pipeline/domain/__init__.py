"""What the company knows and decides about its deals."""
