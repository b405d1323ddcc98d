"""The kinds of resources that operators bring, as far as the manifests use them.

Each field stands in the operator's published API; what is not named here is refused, so that a slip
of the pen is found without a cluster.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[str, Field(pattern=r"^\d+(m|Ki|Mi|Gi|Ti)?$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: Name
    namespace: Name
    labels: dict[str, str] = {}


class Reference(Strict):
    name: Name


class SecretKey(Strict):
    name: Name
    key: str


# KEDA
class PrometheusTrigger(Strict):
    serverAddress: Annotated[str, Field(pattern=r"^https?://")]
    query: str
    threshold: Annotated[str, Field(pattern=r"^\d+$")]


class Trigger(Strict):
    type: Literal["prometheus"]
    metadata: PrometheusTrigger


class Fallback(Strict):
    failureThreshold: int
    replicas: int


class ScaledObjectSpec(Strict):
    scaleTargetRef: Reference
    minReplicaCount: Annotated[int, Field(ge=0)]
    maxReplicaCount: Annotated[int, Field(ge=1)]
    pollingInterval: int
    cooldownPeriod: int
    fallback: Fallback
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class ScaledObject(Strict):
    apiVersion: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledObjectSpec


# CloudNativePG
class Role(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    ensure: Literal["present", "absent"]
    login: bool
    passwordSecret: Reference


class Storage(Strict):
    size: Quantity


class Synchronous(Strict):
    method: Literal["any", "first"]
    number: Annotated[int, Field(ge=1)]
    dataDurability: Literal["required", "preferred"]


class Postgresql(Strict):
    parameters: dict[str, str]
    synchronous: Synchronous
    pg_hba: list[str]


class Initdb(Strict):
    encoding: str
    localeCollate: str
    localeCType: str


class Bootstrap(Strict):
    initdb: Initdb


class Affinity(Strict):
    enablePodAntiAffinity: bool
    topologyKey: str
    podAntiAffinityType: Literal["required", "preferred"]


class Resources(Strict):
    requests: dict[Literal["cpu", "memory"], Quantity]
    limits: dict[Literal["cpu", "memory"], Quantity]


class Roles(Strict):
    roles: list[Role]


class Plugin(Strict):
    name: Name
    isWALArchiver: bool
    parameters: dict[str, str]


class ClusterSpec(Strict):
    instances: Annotated[int, Field(ge=1)]
    imageName: str
    primaryUpdateStrategy: Literal["unsupervised", "supervised"]
    enableSuperuserAccess: bool
    bootstrap: Bootstrap
    storage: Storage
    walStorage: Storage
    resources: Resources
    affinity: Affinity
    postgresql: Postgresql
    managed: Roles
    plugins: list[Plugin] = []


class Cluster(Strict):
    apiVersion: Literal["postgresql.cnpg.io/v1"]
    kind: Literal["Cluster"]
    metadata: Metadata
    spec: ClusterSpec


class DatabaseSpec(Strict):
    cluster: Reference
    name: str
    owner: str
    databaseReclaimPolicy: Literal["retain", "delete"]


class Database(Strict):
    apiVersion: Literal["postgresql.cnpg.io/v1"]
    kind: Literal["Database"]
    metadata: Metadata
    spec: DatabaseSpec


class PluginConfiguration(Strict):
    name: Name


class ScheduledBackupSpec(Strict):
    schedule: Annotated[str, Field(pattern=r"^(\S+ ){5}\S+$")]
    cluster: Reference
    method: Literal["plugin", "volumeSnapshot"]
    pluginConfiguration: PluginConfiguration
    backupOwnerReference: Literal["none", "self", "cluster"]


class ScheduledBackup(Strict):
    apiVersion: Literal["postgresql.cnpg.io/v1"]
    kind: Literal["ScheduledBackup"]
    metadata: Metadata
    spec: ScheduledBackupSpec


class S3Credentials(Strict):
    accessKeyId: SecretKey
    secretAccessKey: SecretKey


class Archive(Strict):
    compression: Literal["gzip", "bzip2", "snappy"]
    encryption: Literal["AES256", "aws:kms"]


class BarmanConfiguration(Strict):
    destinationPath: Annotated[str, Field(pattern=r"^s3://")]
    s3Credentials: S3Credentials
    wal: Archive
    data: Archive


class ObjectStoreSpec(Strict):
    retentionPolicy: Annotated[str, Field(pattern=r"^[1-9]\d*[dwm]$")]
    configuration: BarmanConfiguration


class ObjectStore(Strict):
    apiVersion: Literal["barmancloud.cnpg.io/v1"]
    kind: Literal["ObjectStore"]
    metadata: Metadata
    spec: ObjectStoreSpec


# The RabbitMQ cluster operator
class Persistence(Strict):
    storage: Quantity


class Rabbitmq(Strict):
    additionalConfig: str


class RabbitmqTls(Strict):
    secretName: Name
    disableNonTLSListeners: bool


class RabbitmqClusterSpec(Strict):
    replicas: Annotated[int, Field(ge=1)]
    image: str
    persistence: Persistence
    resources: Resources
    rabbitmq: Rabbitmq
    terminationGracePeriodSeconds: int
    affinity: dict[Literal["podAntiAffinity"], dict[str, Any]]
    tls: RabbitmqTls


class RabbitmqCluster(Strict):
    apiVersion: Literal["rabbitmq.com/v1beta1"]
    kind: Literal["RabbitmqCluster"]
    metadata: Metadata
    spec: RabbitmqClusterSpec


# The Prometheus operator
class Expression(Strict):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str]


class Selector(Strict):
    matchLabels: dict[str, str]
    matchExpressions: list[Expression] = []


class Relabeling(Strict):
    sourceLabels: list[str] = []
    separator: str = ";"
    targetLabel: str
    replacement: str = "$1"


class SecretSource(Strict):
    secret: SecretKey


class TlsConfig(Strict):
    ca: SecretSource
    serverName: str


class Endpoint(Strict):
    port: Name
    interval: str
    relabelings: list[Relabeling] = []
    scheme: Literal["http", "https"] = "http"
    tlsConfig: TlsConfig | None = None


class PodMonitorSpec(Strict):
    selector: Selector
    podMetricsEndpoints: list[Endpoint]


class PodMonitor(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: Metadata
    spec: PodMonitorSpec


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    record: Annotated[str | None, Field(pattern=r"^[a-z_]+:[a-z_]+:[a-z0-9_]+$")] = None
    alert: str | None = None
    expr: str
    keep_firing_for: str | None = None
    wait: Annotated[str | None, Field(alias="for", pattern=r"^\d+[smh]$")] = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(Strict):
    name: str
    rules: list[Rule]


class Groups(Strict):
    groups: list[Group]


class PrometheusRule(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PrometheusRule"]
    metadata: Metadata
    spec: Groups


# cert-manager
class CertificateAuthority(Strict):
    secretName: Name


class IssuerSpec(Strict):
    selfSigned: dict[str, str] | None = None
    ca: CertificateAuthority | None = None


class Issuer(Strict):
    apiVersion: Literal["cert-manager.io/v1"]
    kind: Literal["Issuer"]
    metadata: Metadata
    spec: IssuerSpec


class PrivateKey(Strict):
    algorithm: Literal["RSA", "ECDSA", "Ed25519"]
    size: int
    rotationPolicy: Literal["Always", "Never"]


class CertificateSpec(Strict):
    secretName: Name
    issuerRef: Reference
    privateKey: PrivateKey
    isCA: bool = False
    commonName: str | None = None
    duration: Annotated[str | None, Field(pattern=r"^\d+h$")] = None
    dnsNames: list[str] = []
    usages: list[Literal["server auth", "client auth"]] = []


class Certificate(Strict):
    apiVersion: Literal["cert-manager.io/v1"]
    kind: Literal["Certificate"]
    metadata: Metadata
    spec: CertificateSpec


KINDS: dict[tuple[str, str], type[BaseModel]] = {
    (get_args(kind.model_fields["apiVersion"].annotation)[0], kind.__name__): kind
    for kind in (
        Certificate,
        Cluster,
        Database,
        Issuer,
        ObjectStore,
        PodMonitor,
        PrometheusRule,
        RabbitmqCluster,
        ScaledObject,
        ScheduledBackup,
    )
}
"""By apiVersion and kind."""
