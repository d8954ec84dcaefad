"""What every room of the package may import: options and small tools without heavy libraries."""
