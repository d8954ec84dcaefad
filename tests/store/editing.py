"""Edit a record and write its digest again, as someone would who wants the change to go unnoticed."""

import hashlib


def edit(path, old, new):
    """Replace a text that occurs in the record; its bytes keep their number of lines."""
    body, _, _ = path.read_text().rpartition(',\n"sha256": ')
    assert old in body
    seal(path, body.replace(old, new))


def seal(path, body):
    """Write a record from everything before its digest."""
    path.write_text(f'{body},\n"sha256": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n')
