"""Lists the crates that are linked into the cordon binary, as CycloneDX 1.5 JSON.

usage: python3 image/sbom.py VERSION

What is built for tests, on other systems, or only at build time is not in the list. The same lock file gives the same bytes.
"""

import json
import subprocess
import sys


def host():
    lines = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.removeprefix("host: ") for line in lines if line.startswith("host: "))


def linked(metadata):
    """The packages that cordon is linked from, by way of normal dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(package["id"] for package in metadata["packages"] if package["name"] == "cordon")
    found, rest = set(), [root]
    while rest:
        package = rest.pop()
        if package not in found:
            found.add(package)
            rest += [one["pkg"] for one in nodes[package]["deps"]
                     if any(kind["kind"] is None for kind in one["dep_kinds"])]
    return found - {root}


def component(package, checksums):
    name, version = package["name"], package["version"]
    entry = {"type": "library", "name": name, "version": version,
             "purl": f"pkg:cargo/{name}@{version}", "bom-ref": f"pkg:cargo/{name}@{version}"}
    if package.get("license"):
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if (name, version) in checksums:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksums[(name, version)]}]
    return entry


def checksums():
    """What the lock file says of each package's archive."""
    import tomllib
    with open("Cargo.lock", "rb") as file:
        packages = tomllib.load(file)["package"]
    return {(one["name"], one["version"]): one["checksum"] for one in packages if "checksum" in one}


def main(version):
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host()],
        check=True, capture_output=True, text=True).stdout)
    ids, known = linked(metadata), checksums()
    components = [component(package, known) for package in metadata["packages"] if package["id"] in ids]
    json.dump({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "name": "cordon", "version": version,
                                   "bom-ref": f"pkg:cargo/cordon@{version}",
                                   "licenses": [{"expression": "Apache-2.0"}]}},
        "components": sorted(components, key=lambda one: (one["name"], one["version"])),
    }, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
