"""Sources of prices, one file each."""
