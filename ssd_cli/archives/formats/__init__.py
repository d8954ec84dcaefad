"""The formats of a part other than aeon's ``.ts``, one file each."""
