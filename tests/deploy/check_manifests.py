#!/usr/bin/python3
"""Checks the Kubernetes manifests without a cluster.

  check_manifests.py [--kubectl PROGRAM] [--server PROGRAM] [FOLDER...]

Renders the base and every overlay (or the folders named) with `kubectl kustomize` and checks the result:
  - every field is one of the API's, with a value of its type (kubernetes_fields.py): a misspelt field is refused
  - selectors, ports, volumes, settings and service accounts that are named exist
  - pods keep to the profile "restricted", with a read-only root; the server has one replica
  - settings in the environment and flags are settings of the server (with --server), with values that it takes
Prints one line per finding and exits 1, or says what was checked and exits 0.
"""

import argparse
import functools
import os
import pathlib
import re
import subprocess
import sys

import yaml

import kubernetes_fields as api

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
QUANTITY_PATTERN = re.compile(r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")
# Made by whoever installs, not by the manifests (docs/deploy.md): secrets by what they are for.
OUTSIDE_SECRETS = {"sightline-tls", "sightline-keys"}
# The server's default, for manifests that leave it.
DRAIN_GRACE_SECONDS = 30


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML's readers take the last."""


def _mapping(loader, node, deep=False):
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=deep)
        if key in seen:
            raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: '{key}' is written twice. Remove one.")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(text):
    return [document for document in yaml.load_all(text, Loader=StrictLoader) if document is not None]


def render(folder, kubectl):
    # Deprecations of kustomize's own words go to standard error: the manifests are for old versions too.
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{folder}: kustomize fails: {done.stderr.strip()}")
    return load(done.stdout)


def check_value(value, kind, where, found):
    """Appends to `found` what of `value` is not as `kind`, a type of kubernetes_fields, has it."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            found.append(f"{where} is {value!r}, which is no list.")
            return
        for number, item in enumerate(value):
            check_value(item, kind[0], f"{where}[{number}]", found)
    elif isinstance(kind, frozenset):
        if value not in kind:
            found.append(f"{where} is {value!r}; it must be one of {', '.join(sorted(kind))}.")
    elif kind in (str, int, bool):
        if type(value) is not kind:  # True is an int to Python
            found.append(f"{where} is {value!r}, of type {type(value).__name__}; it must be {kind.__name__}.")
    elif kind == api.QUANTITY:
        if isinstance(value, bool) or not QUANTITY_PATTERN.match(str(value)):
            found.append(f"{where} is {value!r}, which is no quantity. Write 500m, 2 or 8Gi.")
    elif kind == api.PORT:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            found.append(f"{where} is {value!r}; it must be a port or its name.")
    elif kind in (api.MAP, api.QUANTITIES):
        if not isinstance(value, dict):
            found.append(f"{where} is {value!r}, which is no map.")
            return
        for key, item in value.items():
            check_value(item, str if kind == api.MAP else api.QUANTITY, f"{where}.{key}", found)
    else:
        if not isinstance(value, dict):
            found.append(f"{where} is {value!r}, which is no {kind}.")
            return
        fields = api.TYPES[kind]
        for key, item in value.items():
            if key not in fields:
                found.append(f"{where}.{key}: {kind} has no field '{key}'. Its fields: {', '.join(sorted(fields))}.")
            else:
                check_value(item, fields[key], f"{where}.{key}", found)
        for key in api.REQUIRED.get(kind, ()):
            if key not in value:
                found.append(f"{where} has no '{key}', which {kind} needs.")


def check_fields(objects):
    found = []
    for item in objects:
        kind = item.get("kind") if isinstance(item, dict) else None
        if kind not in api.KINDS:
            found.append(f"{kind!r} is no kind that the manifests use. Use {', '.join(api.KINDS)}.")
            continue
        name = (item.get("metadata") or {}).get("name") if isinstance(item.get("metadata"), dict) else None
        if not name:
            found.append(f"a {kind} has no metadata.name.")
        check_value(item, kind, f"{kind} {name}", found)
    return found


def of_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


def contained(part, whole):
    return bool(part) and all(whole.get(key) == value for key, value in part.items())


def pod_of(stateful_set):
    return stateful_set["spec"]["template"]["spec"]


def port_names(pod):
    return {port[key] for container in pod["containers"] for port in container.get("ports", ()) for key in ("name", "containerPort")}


def probes(container):
    return [container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container]


def check_relations(objects):
    """What names what. Expects objects without findings of check_fields."""
    found = []
    sets = of_kind(objects, "StatefulSet")
    if len(sets) != 1:
        return [f"{len(sets)} StatefulSets; there must be one server."]
    server = sets[0]
    labels = server["spec"]["template"]["metadata"].get("labels", {})
    pod = pod_of(server)
    ports = port_names(pod)
    services = of_kind(objects, "Service")

    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    found += [f"{kind} {name} is there twice." for kind, name in sorted({key for key in names if names.count(key) > 1})]
    spaces = {item["metadata"]["name"] for item in of_kind(objects, "Namespace")}
    for item in objects:
        space = item["metadata"].get("namespace")
        if item["kind"] != "Namespace" and space not in spaces:
            found.append(f"{item['kind']} {item['metadata']['name']} is in the namespace {space!r}, not in one of {sorted(spaces)}.")

    if server["spec"]["replicas"] != 1:
        found.append(f"{server['spec']['replicas']} replicas; servers share no data, so there must be 1.")
    if not contained(server["spec"]["selector"].get("matchLabels"), labels):
        found.append("the StatefulSet's selector does not match its own pods.")
    for service in services:
        name = service["metadata"]["name"]
        if not contained(service["spec"]["selector"], labels):
            found.append(f"Service {name} selects no pod of the StatefulSet.")
        found += [f"Service {name}: no container has the port {port['targetPort']!r}."
                  for port in service["spec"]["ports"] if port["targetPort"] not in ports]
    governing = [service for service in services if service["metadata"]["name"] == server["spec"]["serviceName"]]
    if not governing or governing[0]["spec"].get("clusterIP") != "None":
        found.append(f"serviceName is {server['spec']['serviceName']!r}, which is no headless Service.")
    for policy in of_kind(objects, "NetworkPolicy"):
        name = policy["metadata"]["name"]
        if not contained(policy["spec"]["podSelector"].get("matchLabels"), labels):
            found.append(f"NetworkPolicy {name} selects no pod of the StatefulSet.")
        for rule in policy["spec"].get("ingress", ()):
            found += [f"NetworkPolicy {name}: no container has the port {port['port']!r}."
                      for port in rule.get("ports", ()) if port["port"] not in ports]
    for monitor in of_kind(objects, "ServiceMonitor"):
        chosen = [service for service in services
                  if contained(monitor["spec"]["selector"].get("matchLabels"), service["metadata"].get("labels", {}))]
        if len(chosen) != 1:
            found.append(f"ServiceMonitor {monitor['metadata']['name']} selects {len(chosen)} Services; each more counts every series again.")
        names_of_ports = {port["name"] for service in chosen for port in service["spec"]["ports"]}
        found += [f"ServiceMonitor {monitor['metadata']['name']}: no selected Service has the port {end['port']!r}."
                  for end in monitor["spec"]["endpoints"] if end.get("port") not in names_of_ports]
    accounts = {item["metadata"]["name"] for item in of_kind(objects, "ServiceAccount")}
    if pod.get("serviceAccountName") not in accounts:
        found.append(f"the ServiceAccount {pod.get('serviceAccountName')!r} is not there.")
    return found + check_pod(objects, server)


def check_pod(objects, server):
    found = []
    pod = pod_of(server)
    ports = port_names(pod)
    configs = {item["metadata"]["name"] for item in of_kind(objects, "ConfigMap")}
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    volumes |= {claim["metadata"]["name"] for claim in server["spec"].get("volumeClaimTemplates", ())}
    mounted = set()
    for container in pod["containers"] + pod.get("initContainers", []):
        name = container["name"]
        for mount in container.get("volumeMounts", ()):
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                found.append(f"container {name} mounts the volume {mount['name']!r}, which is not there.")
        for probe in probes(container):
            port = probe.get("httpGet", {}).get("port", probe.get("grpc", {}).get("port"))
            if port is not None and port not in ports:
                found.append(f"container {name}: a probe asks the port {port!r}, which no container has.")
        config_names = [source["configMapRef"]["name"] for source in container.get("envFrom", ()) if "configMapRef" in source]
        secret_names = [source["secretRef"]["name"] for source in container.get("envFrom", ()) if "secretRef" in source]
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            if ("value" in variable) == bool(source):
                found.append(f"container {name}: {variable['name']} needs a value or a valueFrom, and not both.")
            config_names += [source[key]["name"] for key in ("configMapKeyRef",) if key in source]
            secret_names += [source[key]["name"] for key in ("secretKeyRef",) if key in source]
            reference = source.get("resourceFieldRef")
            if reference:
                kind, _, resource = reference["resource"].partition(".")
                if resource not in container.get("resources", {}).get(kind, {}):
                    found.append(f"container {name}: {variable['name']} reads {reference['resource']}, which is not set.")
        found += [f"container {name} reads the ConfigMap {config}, which is not there." for config in config_names if config not in configs]
        found += [f"container {name} reads the Secret {secret}, which docs/deploy.md does not name."
                  for secret in secret_names if secret not in OUTSIDE_SECRETS]
        found += check_restricted(pod, container)
    for volume in pod.get("volumes", ()):
        if len(volume) != 2:
            found.append(f"volume {volume['name']} has {len(volume) - 1} sources; it must have one.")
        secret = volume.get("secret", {}).get("secretName")
        if secret is not None and secret not in OUTSIDE_SECRETS:
            found.append(f"volume {volume['name']} is the Secret {secret}, which docs/deploy.md does not name.")
        config = volume.get("configMap", {}).get("name")
        if config is not None and config not in configs:
            found.append(f"volume {volume['name']} is the ConfigMap {config}, which is not there.")
    found += [f"no container mounts the volume {volume}." for volume in sorted(volumes - mounted)]
    grace = settings_of(objects).get("SIGHTLINE_DRAIN_GRACE", f"{DRAIN_GRACE_SECONDS}s")
    seconds = re.fullmatch(r"([0-9]+)s", grace)
    if not seconds or pod.get("terminationGracePeriodSeconds", 30) <= int(seconds[1]):
        found.append(f"terminationGracePeriodSeconds is {pod.get('terminationGracePeriodSeconds', 30)}; it must be above the "
                     f"drain grace of {grace}, or requests in hand are cut off.")
    return found


def check_restricted(pod, container):
    """The Pod Security Standard "restricted", and a read-only root."""
    found = []
    of_pod, own = pod.get("securityContext", {}), container.get("securityContext", {})
    wanted = {
        "runAsNonRoot": own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is True,
        "runAsUser above 0": own.get("runAsUser", of_pod.get("runAsUser", 0)) > 0,
        "seccompProfile RuntimeDefault": own.get("seccompProfile", of_pod.get("seccompProfile", {})).get("type") == "RuntimeDefault",
        "allowPrivilegeEscalation: false": own.get("allowPrivilegeEscalation") is False,
        "capabilities that drop ALL and add none": own.get("capabilities") == {"drop": ["ALL"]},
        "readOnlyRootFilesystem: true": own.get("readOnlyRootFilesystem") is True,
        "no privileged": not own.get("privileged", False),
        "automountServiceAccountToken: false": pod.get("automountServiceAccountToken") is False,
        "enableServiceLinks: false": pod.get("enableServiceLinks") is False,
    }
    return [f"container {container['name']} needs {name}." for name, holds in wanted.items() if not holds]


def settings_of(objects):
    """The variables that the server's container is given, but those that only a cluster can tell."""
    container = pod_of(of_kind(objects, "StatefulSet")[0])["containers"][0]
    configs = {item["metadata"]["name"]: item.get("data", {}) for item in of_kind(objects, "ConfigMap")}
    settings = {}
    for source in container.get("envFrom", ()):
        settings.update(configs.get(source.get("configMapRef", {}).get("name"), {}))
    for variable in container.get("env", ()):
        # A quantity in whole units, as a limit of cores is given.
        settings[variable["name"]] = variable.get("value", "1")
    return settings


@functools.lru_cache
def known_flags(server):
    done = subprocess.run([server, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return set(re.findall(r"^\s*--([a-z0-9_]+) \(", done.stdout, re.MULTILINE))


def check_settings(objects, server):
    """Whether the server knows the settings, and takes their values."""
    flags = known_flags(server)
    if len(flags) < 10:
        return [f"{server} --help lists {len(flags)} flags; that is not the server's help."]
    settings = settings_of(objects)
    found = [f"{name} sets no flag of the server." for name in settings
             if name.startswith("SIGHTLINE_") and name[len("SIGHTLINE_"):].lower() not in flags]
    container = pod_of(of_kind(objects, "StatefulSet")[0])["containers"][0]
    for argument in container.get("args", ()):
        flag = re.match(r"--([a-z0-9_]+)", argument)
        if not flag or flag[1] not in flags:
            found.append(f"the argument {argument!r} is no flag of the server.")
    # A value that does not parse ends the server before it prints its help.
    environment = {"PATH": os.environ.get("PATH", ""), **settings}
    done = subprocess.run([server, *container.get("args", ()), "--help"], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    if "--data_dir" not in done.stdout:
        found.append(f"the server refuses these settings: {done.stderr.strip()}")
    return found


def check(objects, server=None):
    found = check_fields(objects)
    # What does not have the shape of an object is not looked into further.
    if not found:
        found = check_relations(objects)
        if server:
            found += check_settings(objects, server)
    return found


def folders():
    return [KUBERNETES / "base"] + sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--server", help="the program sightline-server, to check settings against")
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    failures = 0
    for folder in args.folders or folders():
        try:
            objects = render(folder, args.kubectl)
            found = check(objects, args.server)
        except (RuntimeError, yaml.YAMLError, OSError) as error:
            objects, found = [], [str(error)]
        for line in found:
            print(f"{folder}: {line}")
        failures += bool(found)
        if not found:
            print(f"{folder}: {len(objects)} objects are right")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
