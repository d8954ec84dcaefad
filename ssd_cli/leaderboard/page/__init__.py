"""The page: every cell of the folders in one file of HTML that needs no network, and recomputes in the browser what it shows."""
