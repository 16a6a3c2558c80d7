"""How the scanner Trivy is built. Its rules for configurations are in the program, so that it needs no network."""

from typing import Final

from tests.testbed.node.recipes import GoModule

_VERSION: Final = "0.58.0"

TRIVY: Final = GoModule(
    name="trivy",
    module="github.com/aquasecurity/trivy",
    version=_VERSION,
    checksum="h1:wU0LsoAaSQxFc2MFNGWxdH8/kdMX16kq+hzh7jK76nM=",
    usual="7 to 10 minutes",
    packages={"trivy": "./cmd/trivy"},
    linker_flags=f"-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver={_VERSION}",
)
