"""The page: one HTML file with all cells. Its scripts compute all tables in the browser, without a network."""
