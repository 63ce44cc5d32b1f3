"""slurm-carbon for Spack:

    spack repo add scripts/packages/spack
    make dist    # the tarball, where spack is called
    spack install --no-checksum slurm-carbon ^slurm@23-11
"""

import os

from spack.package import *


class SlurmCarbon(AutotoolsPackage):
    """Energy and CO2e of Slurm jobs: a SPANK plugin, a meter for each node, the books and their
    reports. Units of systemd are left out: a supervisor is the system's."""

    manual_download = True

    license("GPL-2.0-or-later")

    version("0.1.0")

    variant("spank", default=True, description="Build the plugin, for one major.minor of Slurm")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("hwloc@2.1:")
    depends_on("jansson@2.9:")
    depends_on("libconfuse@3:")
    depends_on("libcsv")
    depends_on("sqlite@3.26:")
    depends_on("postgresql@13:")
    depends_on("util-linux@2.32:")
    depends_on("zlib-api")
    depends_on("slurm", when="+spank")

    def url_for_version(self, version):
        return f"file://{os.getcwd()}/slurm-carbon-{version}.tar.xz"

    def configure_args(self):
        # one carbon.conf for a system, wherever the programs lie
        args = ["--sysconfdir=/etc", "--localstatedir=/var", "--without-systemdsystemunitdir"]
        args.append("--with-slurm=" + self.spec["slurm"].prefix if "+spank" in self.spec
                    else "--without-slurm")
        return args
