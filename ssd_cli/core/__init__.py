"""Options, identities and file tools that every folder of the package may import; no heavy libraries."""
