"""Analytics: read models across all contexts and the console; it decides nothing."""
