#!/usr/bin/env python3
"""Prints the software bill of materials of a node as CycloneDX 1.5 JSON: the Swift packages and their graph, Swift's runtime, the C libraries.

    sbom.py --version V --commit C --binary FILE --dependencies show-dependencies.json --swift "Swift version ..."
"""
import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

# C and C++ code inside Swift packages: name, package URL, SPDX license, the pattern of the version, and the file that contains it.
BORINGSSL = ("boringssl", "pkg:generic/boringssl", "ISC AND OpenSSL", r"revision ([0-9a-f]{40})")
VENDORED = {
    "swift-nio-ssl": (*BORINGSSL, "Sources/CNIOBoringSSL/hash.txt"),
    "swift-crypto": (*BORINGSSL, "Sources/CCryptoBoringSSL/hash.txt"),
    "swift-nio": ("llhttp", "pkg:github/nodejs/llhttp", "MIT", r"LLHTTP_VERSION_\w+ (\d+)", "Sources/CNIOLLHTTP/include/c_nio_llhttp.h"),
    "tomlkit": ("tomlplusplus", "pkg:github/marzer/tomlplusplus", "MIT", r"TOML_LIB_(?:MAJOR|MINOR|PATCH) (\d+)",
                "Sources/CTOML/Sources/toml.hpp"),
}


def license_of(folder):
    """The SPDX id of a folder's license, recognized by its words; None if it is another license."""
    for path in sorted(Path(folder).glob("LICEN[CS]E*")) if folder else []:
        text = path.read_text(errors="replace")
        if "Apache License" in text:
            with_exception = "Runtime Library Exception" in text
            return "Apache-2.0 WITH Swift-exception" if with_exception else "Apache-2.0"
        if "Permission is hereby granted, free of charge" in text:
            return "MIT"
        if "Redistribution and use in source and binary forms" in text:
            return "BSD-3-Clause" if "Neither the name" in text else "BSD-2-Clause"
    return None


def component(ref, name, version, purl, license=None, kind="library", **more):
    found = {"type": kind, "bom-ref": ref, "name": name}
    if version:
        found["version"] = version
    found["purl"] = purl
    if license:
        found["licenses"] = [{"expression": license} if " " in license else {"license": {"id": license}}]
    return {**found, **more}


def swift_packages(root):
    """The components by identity, the identities that each depends on, and the nodes. Fails if a package has no version."""
    components, graph = {}, {}

    def visit(node):
        identity = node["identity"]
        graph.setdefault(identity, set()).update(child["identity"] for child in node["dependencies"])
        if node is not root:
            if node["version"] in ("", "unspecified"):
                sys.exit(f"sbom.py: {identity} has no version")
            url = node["url"].removesuffix(".git")
            path = re.sub(r"^https?://", "", url)
            components[identity] = component(
                f"swift:{identity}", node["name"], node["version"], f"pkg:swift/{path}@{node['version']}",
                license_of(node.get("path")), externalReferences=[{"type": "vcs", "url": url}])
        for child in node["dependencies"]:
            visit(child)

    visit(root)
    return components, graph, {identity: node for identity, node in nodes(root)}


def nodes(node):
    yield node["identity"], node
    for child in node["dependencies"]:
        yield from nodes(child)


def debian(package):
    """Version and architecture of an installed Debian package; None if it is not installed."""
    query = ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", package]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer if len(answer) == 2 else None


def c_libraries(binary):
    """hiredis and zlib, which are linked in, and the libraries that are loaded at run time."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.M))
    listed = subprocess.run(["objdump", "-p", binary], capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED\s+(\S+)", listed)
    wanted = []
    for name, archive, shared, license in (
            ("hiredis", "libhiredis-dev", "libhiredis0.14", "BSD-3-Clause"), ("zlib", "zlib1g-dev", "zlib1g", "Zlib")):
        is_loaded = any(file.startswith(("lib" + name, "libz.")[name == "zlib"]) for file in needed)
        wanted.append((shared, name, license, "dynamic") if is_loaded else (archive, name, license, "static"))
    for library, package, license in (
            ("libc.so.6", "libc6", "LGPL-2.1-or-later"), ("libstdc++.so.6", "libstdc++6", "GPL-3.0-or-later WITH GCC-exception-3.1"),
            ("libgcc_s.so.1", "libgcc-s1", "GPL-3.0-or-later WITH GCC-exception-3.1")):
        if library in needed:
            wanted.append((package, package, license, "dynamic"))
    for package, name, license, linkage in wanted:
        found = debian(package)
        if not found:
            sys.exit(f"sbom.py: the Debian package {package} is not installed")
        version, architecture = found
        purl = f"pkg:deb/{release['ID']}/{package}@{version}?arch={architecture}&distro={release['ID']}-{release.get('VERSION_ID', '')}"
        yield component(f"deb:{package}", name, version, purl, license, properties=[{"name": "wasmnet:linkage", "value": linkage}])


def main():
    parser = argparse.ArgumentParser()
    for name in ("version", "commit", "binary", "dependencies", "swift"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()

    root = json.loads(Path(arguments.dependencies).read_text())
    packages, graph, found = swift_packages(root)
    components = list(packages.values())
    depends = {f"swift:{identity}": {f"swift:{child}" for child in children} for identity, children in graph.items()}
    depends["wasmnet"] = depends.pop(f"swift:{root['identity']}")
    for identity, (name, purl, license, pattern, file) in VENDORED.items():
        if identity not in packages:
            continue
        path = Path(found[identity].get("path", "")) / file
        version = ".".join(re.findall(pattern, path.read_text())[:3]) if path.is_file() else ""
        if not version:
            sys.exit(f"sbom.py: {identity} does not tell the version of its {name}: {path}")
        ref = f"vendored:{identity}/{name}"
        components.append(component(ref, name, version, f"{purl}@{version}", license,
                                    properties=[{"name": "wasmnet:carried-by", "value": identity}]))
        depends[f"swift:{identity}"].add(ref)
    swift = re.search(r"Swift version (\S+)", arguments.swift)
    if not swift:
        sys.exit(f"sbom.py: no Swift version in \"{arguments.swift}\"")
    tag = swift.group(1)
    components.append(component(
        "swift-runtime", "swift-runtime", tag, f"pkg:github/swiftlang/swift@swift-{tag}-RELEASE", "Apache-2.0 WITH Swift-exception",
        properties=[{"name": "wasmnet:linkage", "value": "static"}]))
    depends["wasmnet"].add("swift-runtime")
    for library in c_libraries(arguments.binary):
        components.append(library)
        depends["wasmnet"].add(library["bom-ref"])

    digest = hashlib.sha256(Path(arguments.binary).read_bytes()).hexdigest()
    time = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, arguments.commit + digest)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": "wasmnet", "name": "wasmnet-node", "version": arguments.version,
                "licenses": [{"license": {"id": "MIT"}}], "hashes": [{"alg": "SHA-256", "content": digest}],
                "properties": [{"name": "wasmnet:commit", "value": arguments.commit}],
            },
        },
        "components": sorted(components, key=lambda item: item["bom-ref"]),
        "dependencies": [
            {"ref": ref, **({"dependsOn": sorted(children)} if children else {})} for ref, children in sorted(depends.items())],
    }
    print(json.dumps(bom, indent=2))


if __name__ == "__main__":
    main()
