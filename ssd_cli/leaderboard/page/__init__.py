"""The page: one HTML file with all cells, which computes in the browser what it shows and needs no network."""
