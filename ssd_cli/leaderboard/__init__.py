"""Tables and figures from stored records; torch is never imported here."""
