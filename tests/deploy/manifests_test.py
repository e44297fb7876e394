"""Tests of the Kubernetes manifests, and of what checks them: a misspelt field has to be found wherever it is.

Environment: SIGHTLINE_SERVER, the server program. Needs kubectl, of any version with `kubectl kustomize`.
"""

import copy
import os
import shutil
import unittest

import check_manifests as check
import kubernetes_fields as api

SERVER = os.environ.get("SIGHTLINE_SERVER")
KUBECTL = os.environ.get("SIGHTLINE_KUBECTL") or shutil.which("kubectl")

# Below these, keys are free.
FREE = ("labels", "annotations", "data", "matchLabels", "nodeSelector", "requests", "limits")


def paths_of(value, path=()):
    """The path of every field, those below free keys left out."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield path + (key,)
            free = key in FREE or (key == "selector" and "kind" not in value and "ports" in value)
            if not free:
                yield from paths_of(item, path + (key,))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths_of(item, path + (number,))


def parent_of(value, path):
    for step in path[:-1]:
        value = value[step]
    return value


@unittest.skipUnless(KUBECTL, "kubectl is not installed")
class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rendered = {folder.name: check.render(folder, KUBECTL) for folder in check.folders()}

    def test_base_and_every_overlay_is_right(self):
        self.assertLessEqual({"base", "small", "tls-and-keys", "monitoring", "gpu"}, set(self.rendered))
        for name, objects in self.rendered.items():
            with self.subTest(name):
                self.assertEqual(check.check(objects, SERVER), [])

    def test_a_misspelt_field_is_refused_wherever_it_is(self):
        tried = 0
        for name, objects in self.rendered.items():
            for item in copy.deepcopy(objects):
                kind = item["kind"]
                for path in list(paths_of(item)):
                    if not isinstance(path[-1], str):
                        continue
                    place = parent_of(item, path)
                    place[path[-1] + "s"] = place.pop(path[-1])
                    tried += 1
                    self.assertTrue(check.check_fields([item]), f"{name}: {kind} {path} misspelt is not found")
                    place[path[-1]] = place.pop(path[-1] + "s")
        self.assertGreater(tried, 500)

    def test_a_value_of_another_type_is_refused(self):
        server = check.of_kind(self.rendered["base"], "StatefulSet")[0]
        for path, value in (
            (("spec", "replicas"), "1"),
            (("spec", "template", "spec", "enableServiceLinks"), "false"),
            (("spec", "template", "spec", "containers"), {}),
            (("spec", "template", "spec", "containers", 0, "resources", "limits", "cpu"), "many"),
            (("spec", "template", "spec", "containers", 0, "imagePullPolicy"), "Sometimes"),
            (("spec", "template", "metadata", "labels", "app.kubernetes.io/name"), 1),
            (("spec", "template", "spec"), None),
            (("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), True),
        ):
            with self.subTest(path):
                broken = copy.deepcopy(server)
                parent_of(broken, path)[path[-1]] = value
                self.assertTrue(check.check_fields([broken]))

    def test_what_is_no_object_is_refused_in_words(self):
        for objects in ([None], [[]], ["text"], [{}], [{"kind": "Pod"}], [{"kind": "Service", "metadata": None}],
                        [{"kind": "HorizontalPodAutoscaler"}], [{"kind": "PodDisruptionBudget"}]):
            with self.subTest(objects):
                self.assertTrue(check.check(objects))

    def test_broken_relations_are_found(self):
        for change, words in (
            (lambda o: self.server(o)["spec"].update(replicas=2), "2 replicas"),
            (lambda o: self.server(o)["spec"].update(serviceName="other"), "no headless Service"),
            (lambda o: self.server(o)["spec"]["selector"]["matchLabels"].update(a="b"), "does not match its own pods"),
            (lambda o: self.pod(o).update(serviceAccountName="other"), "ServiceAccount 'other'"),
            (lambda o: self.pod(o).update(terminationGracePeriodSeconds=30), "drain grace of 30s"),
            (lambda o: self.pod(o).update(volumes=[]), "mounts the volume 'tmp'"),
            (lambda o: self.container(o).update(volumeMounts=[]), "no container mounts the volume data"),
            (lambda o: self.container(o)["ports"].pop(), "has the port 'admin'"),
            (lambda o: self.container(o)["readinessProbe"]["httpGet"].update(port="web"), "a probe asks the port 'web'"),
            (lambda o: self.container(o)["envFrom"][0]["configMapRef"].update(name="other"), "the ConfigMap other"),
            (lambda o: self.container(o)["resources"]["limits"].pop("cpu"), "reads limits.cpu"),
            (lambda o: self.container(o)["securityContext"].update(readOnlyRootFilesystem=False), "readOnlyRootFilesystem"),
            (lambda o: self.container(o)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]), "add none"),
            (lambda o: self.pod(o)["securityContext"].update(runAsUser=0), "runAsUser above 0"),
            (lambda o: check.of_kind(o, "Service")[0]["spec"]["selector"].update(a="b"), "selects no pod"),
            (lambda o: check.of_kind(o, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"].update(a="b"), "selects no pod"),
            (lambda o: check.of_kind(o, "ServiceMonitor")[0]["spec"]["endpoints"][0].update(port="web"), "has the port 'web'"),
            (lambda o: check.of_kind(o, "ServiceMonitor")[0]["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/component"),
             "selects 2 Services"),
            (lambda o: check.of_kind(o, "ServiceAccount")[0]["metadata"].update(namespace="other"), "namespace 'other'"),
            (lambda o: o.append(copy.deepcopy(self.server(o))), "2 StatefulSets"),
        ):
            broken = copy.deepcopy(self.rendered["monitoring"])
            change(broken)
            with self.subTest(words):
                found = check.check(broken)
                self.assertTrue(any(words in line for line in found), found)

    @unittest.skipUnless(SERVER, "SIGHTLINE_SERVER names no server program")
    def test_unknown_settings_and_values_are_found(self):
        for change, words in (
            (lambda c: c["env"].append({"name": "SIGHTLINE_NO_SUCH_FLAG", "value": "1"}), "SIGHTLINE_NO_SUCH_FLAG sets no flag"),
            (lambda c: c["env"].append({"name": "SIGHTLINE_MAX_BATCH", "value": "many"}), "SIGHTLINE_MAX_BATCH"),
            (lambda c: c.update(args=["--no_such_flag=1"]), "'--no_such_flag=1' is no flag"),
            (lambda c: c.update(args=["word"]), "'word' is no flag"),
        ):
            broken = copy.deepcopy(self.rendered["base"])
            change(self.container(broken))
            with self.subTest(words):
                found = check.check(broken, SERVER)
                self.assertTrue(any(words in line for line in found), found)

    def test_a_key_written_twice_is_refused(self):
        with self.assertRaisesRegex(check.yaml.YAMLError, "'a' is written twice"):
            check.load("a: 1\nb: 2\na: 3\n")
        for file in sorted(check.KUBERNETES.rglob("*.yaml")):
            with self.subTest(file):
                self.assertTrue(check.load(file.read_text()))

    def test_every_type_that_is_named_is_there(self):
        def names(kind):
            if isinstance(kind, list):
                yield from names(kind[0])
            elif isinstance(kind, str) and kind not in (api.QUANTITY, api.PORT, api.MAP, api.QUANTITIES):
                yield kind

        for fields in api.TYPES.values():
            for kind in fields.values():
                self.assertLessEqual(set(names(kind)), set(api.TYPES))
        self.assertLessEqual(set(api.REQUIRED), set(api.TYPES))

    @staticmethod
    def server(objects):
        return check.of_kind(objects, "StatefulSet")[0]

    @classmethod
    def pod(cls, objects):
        return check.pod_of(cls.server(objects))

    @classmethod
    def container(cls, objects):
        return cls.pod(objects)["containers"][0]


if __name__ == "__main__":
    unittest.main()
