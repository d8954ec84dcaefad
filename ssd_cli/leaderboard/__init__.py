"""Tables and figures from stored records. This folder never imports torch."""
