"""Add methods and backbones from files outside the package to the registries."""

from __future__ import annotations

from pathlib import Path

from ssd_cli.errors import MisuseError, SsdBenchError


def add_plugins(files: tuple[Path, ...]) -> list[str]:
    """Register the methods and backbones of some files; return their names.

    Raise MisuseError if a file cannot be read, is not valid Python, fails when it is imported, or defines none of the two.
    """
    from ssd_cli.backbones import backbones
    from ssd_cli.methods import methods

    names = []
    for file in files:
        try:
            found = [*methods.add_plugin(file), *backbones.add_plugin(file)]
        except OSError as error:
            raise MisuseError(
                f"Cannot read the plug-in {file}: {error.strerror}.", "Expected the path of a Python file for --plugin."
            ) from error
        except SsdBenchError:
            raise
        except Exception as error:
            raise MisuseError(f"The plug-in {file} fails when it is imported: {type(error).__name__}: {error}.") from error
        if not found:
            raise MisuseError(
                f"The plug-in {file} defines no method and no backbone.",
                'Expected a class decorated with @methods.register("name") or @backbones.register("name").',
            )
        names += found
    return names
