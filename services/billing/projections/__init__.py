"""The screens of billing and the questions they answer."""
