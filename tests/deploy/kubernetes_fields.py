"""The fields of the Kubernetes API that our manifests may use: kubectl checks field names only against a cluster.

From the API reference of Kubernetes 1.24 and, for ServiceMonitor, of the Prometheus operator. A type is a dictionary of
fields; a field is written as what it holds:
  str, int, bool     a scalar of that type
  QUANTITY           of cpu, memory or storage: "500m", 8Gi, 2
  PORT               a number, or the name of a port
  MAP                free keys with text values, such as labels
  QUANTITIES         free keys with quantities
  [X]                a list of X
  "Name"             an object of the type of that name
  ONE_OF(a, b)       one of these words
A field that is missing here is refused: who wants it looks it up in the reference and adds it.
"""

QUANTITY, PORT, MAP, QUANTITIES = "quantity", "port", "map", "quantities"


def ONE_OF(*words):
    return frozenset(words)


TYPES = {
    # The kinds.
    "Namespace": {"apiVersion": ONE_OF("v1"), "kind": str, "metadata": "ObjectMeta"},
    "ServiceAccount": {
        "apiVersion": ONE_OF("v1"), "kind": str, "metadata": "ObjectMeta", "automountServiceAccountToken": bool},
    "ConfigMap": {
        "apiVersion": ONE_OF("v1"), "kind": str, "metadata": "ObjectMeta", "data": MAP, "binaryData": MAP, "immutable": bool},
    "Service": {"apiVersion": ONE_OF("v1"), "kind": str, "metadata": "ObjectMeta", "spec": "ServiceSpec"},
    "StatefulSet": {"apiVersion": ONE_OF("apps/v1"), "kind": str, "metadata": "ObjectMeta", "spec": "StatefulSetSpec"},
    "NetworkPolicy": {
        "apiVersion": ONE_OF("networking.k8s.io/v1"), "kind": str, "metadata": "ObjectMeta", "spec": "NetworkPolicySpec"},
    "ServiceMonitor": {
        "apiVersion": ONE_OF("monitoring.coreos.com/v1"), "kind": str, "metadata": "ObjectMeta",
        "spec": "ServiceMonitorSpec"},
    "Job": {"apiVersion": ONE_OF("batch/v1"), "kind": str, "metadata": "ObjectMeta", "spec": "JobSpec"},
    # What they are made of.
    "ObjectMeta": {"name": str, "namespace": str, "labels": MAP, "annotations": MAP},
    "LabelSelector": {"matchLabels": MAP, "matchExpressions": ["LabelSelectorRequirement"]},
    "LabelSelectorRequirement": {
        "key": str, "operator": ONE_OF("In", "NotIn", "Exists", "DoesNotExist"), "values": [str]},
    "ServiceSpec": {
        "selector": MAP, "ports": ["ServicePort"], "clusterIP": str, "type": ONE_OF("ClusterIP", "NodePort", "LoadBalancer"),
        "publishNotReadyAddresses": bool, "sessionAffinity": ONE_OF("None", "ClientIP"), "ipFamilyPolicy": str,
        "internalTrafficPolicy": str},
    "ServicePort": {
        "name": str, "port": int, "targetPort": PORT, "protocol": ONE_OF("TCP", "UDP"), "appProtocol": str, "nodePort": int},
    "StatefulSetSpec": {
        "replicas": int, "serviceName": str, "selector": "LabelSelector", "template": "PodTemplateSpec",
        "volumeClaimTemplates": ["PersistentVolumeClaim"], "podManagementPolicy": ONE_OF("OrderedReady", "Parallel"),
        "updateStrategy": "StatefulSetUpdateStrategy", "revisionHistoryLimit": int, "minReadySeconds": int},
    "StatefulSetUpdateStrategy": {"type": ONE_OF("RollingUpdate", "OnDelete")},
    "JobSpec": {"template": "PodTemplateSpec", "backoffLimit": int, "ttlSecondsAfterFinished": int},
    "PodTemplateSpec": {"metadata": "ObjectMeta", "spec": "PodSpec"},
    "PodSpec": {
        "serviceAccountName": str, "automountServiceAccountToken": bool, "enableServiceLinks": bool,
        "terminationGracePeriodSeconds": int, "securityContext": "PodSecurityContext", "containers": ["Container"],
        "initContainers": ["Container"], "volumes": ["Volume"], "nodeSelector": MAP, "tolerations": ["Toleration"],
        "priorityClassName": str, "runtimeClassName": str, "restartPolicy": ONE_OF("Always", "OnFailure", "Never"),
        "imagePullSecrets": ["LocalObjectReference"]},
    "LocalObjectReference": {"name": str},
    "PodSecurityContext": {
        "runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int,
        "fsGroupChangePolicy": ONE_OF("OnRootMismatch", "Always"), "supplementalGroups": [int],
        "seccompProfile": "SeccompProfile"},
    "SeccompProfile": {"type": ONE_OF("RuntimeDefault", "Localhost", "Unconfined"), "localhostProfile": str},
    "Toleration": {
        "key": str, "operator": ONE_OF("Exists", "Equal"), "value": str,
        "effect": ONE_OF("NoSchedule", "PreferNoSchedule", "NoExecute"), "tolerationSeconds": int},
    "Container": {
        "name": str, "image": str, "imagePullPolicy": ONE_OF("Always", "IfNotPresent", "Never"), "command": [str],
        "args": [str], "envFrom": ["EnvFromSource"], "env": ["EnvVar"], "ports": ["ContainerPort"], "startupProbe": "Probe",
        "readinessProbe": "Probe", "livenessProbe": "Probe", "resources": "ResourceRequirements",
        "securityContext": "SecurityContext", "volumeMounts": ["VolumeMount"], "workingDir": str, "lifecycle": "Lifecycle"},
    "Lifecycle": {"preStop": "LifecycleHandler", "postStart": "LifecycleHandler"},
    "LifecycleHandler": {"exec": "ExecAction", "httpGet": "HTTPGetAction"},
    "EnvFromSource": {"prefix": str, "configMapRef": "EnvSource", "secretRef": "EnvSource"},
    "EnvSource": {"name": str, "optional": bool},
    "EnvVar": {"name": str, "value": str, "valueFrom": "EnvVarSource"},
    "EnvVarSource": {
        "resourceFieldRef": "ResourceFieldSelector", "fieldRef": "ObjectFieldSelector", "secretKeyRef": "KeySelector",
        "configMapKeyRef": "KeySelector"},
    "ResourceFieldSelector": {"containerName": str, "resource": str, "divisor": QUANTITY},
    "ObjectFieldSelector": {"apiVersion": str, "fieldPath": str},
    "KeySelector": {"name": str, "key": str, "optional": bool},
    "ContainerPort": {"name": str, "containerPort": int, "protocol": ONE_OF("TCP", "UDP")},
    "Probe": {
        "httpGet": "HTTPGetAction", "tcpSocket": "TCPSocketAction", "exec": "ExecAction", "grpc": "GRPCAction",
        "initialDelaySeconds": int, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int,
        "successThreshold": int, "terminationGracePeriodSeconds": int},
    "HTTPGetAction": {"path": str, "port": PORT, "scheme": ONE_OF("HTTP", "HTTPS"), "host": str, "httpHeaders": ["HTTPHeader"]},
    "HTTPHeader": {"name": str, "value": str},
    "TCPSocketAction": {"port": PORT, "host": str},
    "ExecAction": {"command": [str]},
    "GRPCAction": {"port": int, "service": str},
    "ResourceRequirements": {"requests": QUANTITIES, "limits": QUANTITIES},
    "SecurityContext": {
        "allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "capabilities": "Capabilities",
        "runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "privileged": bool, "seccompProfile": "SeccompProfile"},
    "Capabilities": {"drop": [str], "add": [str]},
    "VolumeMount": {"name": str, "mountPath": str, "readOnly": bool, "subPath": str},
    "Volume": {
        "name": str, "emptyDir": "EmptyDirVolumeSource", "secret": "SecretVolumeSource", "configMap": "ConfigMapVolumeSource",
        "persistentVolumeClaim": "ClaimVolumeSource", "projected": "ProjectedVolumeSource"},
    "EmptyDirVolumeSource": {"medium": ONE_OF("", "Memory"), "sizeLimit": QUANTITY},
    "SecretVolumeSource": {"secretName": str, "items": ["KeyToPath"], "defaultMode": int, "optional": bool},
    "ConfigMapVolumeSource": {"name": str, "items": ["KeyToPath"], "defaultMode": int, "optional": bool},
    "ClaimVolumeSource": {"claimName": str, "readOnly": bool},
    "ProjectedVolumeSource": {"defaultMode": int, "sources": ["VolumeProjection"]},
    "VolumeProjection": {"secret": "SecretProjection", "configMap": "SecretProjection"},
    "SecretProjection": {"name": str, "items": ["KeyToPath"], "optional": bool},
    "KeyToPath": {"key": str, "path": str, "mode": int},
    "PersistentVolumeClaim": {
        "apiVersion": ONE_OF("v1"), "kind": ONE_OF("PersistentVolumeClaim"), "metadata": "ObjectMeta",
        "spec": "PersistentVolumeClaimSpec"},
    "PersistentVolumeClaimSpec": {
        "accessModes": [ONE_OF("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")],
        "resources": "ResourceRequirements", "storageClassName": str, "volumeMode": ONE_OF("Filesystem", "Block"),
        "dataSource": "TypedReference"},
    "TypedReference": {"apiGroup": str, "kind": str, "name": str},
    "NetworkPolicySpec": {
        "podSelector": "LabelSelector", "policyTypes": [ONE_OF("Ingress", "Egress")], "ingress": ["NetworkPolicyIngressRule"],
        "egress": ["NetworkPolicyEgressRule"]},
    "NetworkPolicyIngressRule": {"from": ["NetworkPolicyPeer"], "ports": ["NetworkPolicyPort"]},
    "NetworkPolicyEgressRule": {"to": ["NetworkPolicyPeer"], "ports": ["NetworkPolicyPort"]},
    "NetworkPolicyPeer": {"podSelector": "LabelSelector", "namespaceSelector": "LabelSelector", "ipBlock": "IPBlock"},
    "IPBlock": {"cidr": str, "except": [str]},
    "NetworkPolicyPort": {"protocol": ONE_OF("TCP", "UDP"), "port": PORT, "endPort": int},
    "ServiceMonitorSpec": {
        "selector": "LabelSelector", "endpoints": ["MonitorEndpoint"], "jobLabel": str, "targetLabels": [str],
        "namespaceSelector": "MonitorNamespaces", "sampleLimit": int},
    "MonitorNamespaces": {"any": bool, "matchNames": [str]},
    "MonitorEndpoint": {
        "port": str, "targetPort": PORT, "path": str, "scheme": ONE_OF("http", "https"), "interval": str, "scrapeTimeout": str,
        "honorLabels": bool, "tlsConfig": "MonitorTls", "authorization": "MonitorAuthorization"},
    "MonitorTls": {
        "ca": "MonitorSecretOrConfigMap", "cert": "MonitorSecretOrConfigMap", "keySecret": "KeySelector", "serverName": str,
        "insecureSkipVerify": bool},
    "MonitorSecretOrConfigMap": {"secret": "KeySelector", "configMap": "KeySelector"},
    "MonitorAuthorization": {"type": str, "credentials": "KeySelector"},
}

KINDS = ("Namespace", "ServiceAccount", "ConfigMap", "Service", "StatefulSet", "NetworkPolicy", "ServiceMonitor", "Job")

# Without these an API server refuses an object, or it means something else than was meant.
REQUIRED = {
    "ObjectMeta": (), "ServiceSpec": ("selector", "ports"), "ServicePort": ("name", "port", "targetPort"),
    "StatefulSetSpec": ("replicas", "serviceName", "selector", "template"), "PodTemplateSpec": ("metadata", "spec"),
    "PodSpec": ("containers",), "Container": ("name", "image"), "EnvVar": ("name",), "VolumeMount": ("name", "mountPath"),
    "Volume": ("name",), "ContainerPort": ("name", "containerPort"), "HTTPGetAction": ("path", "port"),
    "NetworkPolicySpec": ("podSelector", "policyTypes"), "ServiceMonitorSpec": ("selector", "endpoints"),
    "KeySelector": ("name", "key"), "ResourceFieldSelector": ("containerName", "resource"), "KeyToPath": ("key", "path"),
    "PersistentVolumeClaimSpec": ("accessModes", "resources"), "SecretVolumeSource": ("secretName",),
}
