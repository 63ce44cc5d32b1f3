"""libcsv for Spack: the system's own, as Spack ships no recipe of it."""

from spack.package import *


class Libcsv(Package):
    """A small reader of CSV. Say where the system has it, in packages.yaml:

    packages:
      libcsv:
        buildable: false
        externals:
        - spec: libcsv@3.0.3
          prefix: /usr
    """

    has_code = False
    version("3.0.3")
