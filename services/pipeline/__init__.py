"""Pipeline: opportunities on their way through a sales process, products and quotes."""
