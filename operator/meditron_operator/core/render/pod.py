"""The pod of one replica, as Pod Security `restricted` wants it."""

from typing import Final

from kubernetes.client import (
    V1Affinity,
    V1Capabilities,
    V1Container,
    V1ContainerPort,
    V1EnvVar,
    V1HTTPGetAction,
    V1NodeAffinity,
    V1NodeSelector,
    V1NodeSelectorRequirement,
    V1NodeSelectorTerm,
    V1ObjectMeta,
    V1PodReadinessGate,
    V1PodSecurityContext,
    V1PodSpec,
    V1PodTemplateSpec,
    V1Probe,
    V1ResourceRequirements,
    V1SeccompProfile,
    V1SecurityContext,
    V1Toleration,
    V1TopologySpreadConstraint,
)

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.engines.base import HttpProbe, Launch, Sized
from meditron_operator.core.render.meta import Owner, labels, pod_selector
from meditron_operator.core.render.quantity import quantity
from meditron_operator.core.render.volumes import mounts, volumes
from meditron_operator.core.spec import Spec
from meditron_operator.names import SERVING_GATE, child_name

USER_ID: Final = 10001  # above every distribution's own users, as scanners ask for
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"


def pod_template(owner: Owner, sized: Sized, launch: Launch, image: str) -> V1PodTemplateSpec:
    """The template of every replica."""
    gpu = sized.demand.gpu
    spec = V1PodSpec(
        service_account_name=child_name(owner.name),
        service_account=child_name(owner.name),
        automount_service_account_token=False,
        enable_service_links=False,  # a Service named `prometheus` would become the flag PROMETHEUS_PORT
        restart_policy="Always",
        dns_policy="ClusterFirst",
        scheduler_name="default-scheduler",
        termination_grace_period_seconds=launch.termination_grace_seconds,
        # A condition, not a label: to a network plugin a pod with another label is another pod, seconds late.
        readiness_gates=[V1PodReadinessGate(condition_type=SERVING_GATE)],
        security_context=_pod_security(sized.spec),
        node_selector=sized.spec.gpu.node_selector or None,
        affinity=_on_nodes_with(gpu),
        tolerations=_tolerations(sized.spec, gpu),
        topology_spread_constraints=[_spread(owner)],
        containers=[_container(sized, launch, image, gpu)],
        volumes=volumes(sized, launch),
    )
    return V1PodTemplateSpec(metadata=V1ObjectMeta(labels=labels(owner.name)), spec=spec)


def _container(sized: Sized, launch: Launch, image: str, gpu: Gpu) -> V1Container:
    return V1Container(
        name=launch.container,
        image=image,
        image_pull_policy="IfNotPresent",
        env=[V1EnvVar(name=name, value=value or None) for name, value in launch.environment],
        ports=[V1ContainerPort(name="http", container_port=launch.port, protocol="TCP")],
        resources=_resources(sized, gpu),
        security_context=_container_security(sized.spec),
        startup_probe=_probe(launch.startup),
        readiness_probe=_probe(launch.readiness),
        liveness_probe=_probe(launch.liveness),
        volume_mounts=mounts(launch),
        termination_message_path="/dev/termination-log",
        termination_message_policy="FallbackToLogsOnError",  # the engine's own last words, for the condition
    )


def _resources(sized: Sized, gpu: Gpu) -> V1ResourceRequirements:
    """GPUs and memory exactly; CPU only requested, since a throttled tokenizer starves the GPU."""
    plan = sized.plan
    fixed = {
        gpu.resource_name: str(plan.gpus_per_replica),
        "memory": quantity(plan.host_memory_bytes),
        "ephemeral-storage": quantity(plan.ephemeral_storage_bytes),
    }
    return V1ResourceRequirements(limits=fixed, requests=fixed | {"cpu": str(plan.cpus)})


def _pod_security(spec: Spec) -> V1PodSecurityContext:
    profile = V1SeccompProfile(type="RuntimeDefault")
    if not spec.engine.run_as_non_root:
        return V1PodSecurityContext(seccomp_profile=profile)
    return V1PodSecurityContext(
        seccomp_profile=profile,
        run_as_non_root=True,
        run_as_user=USER_ID,
        run_as_group=USER_ID,
        fs_group=USER_ID,
    )


def _container_security(spec: Spec) -> V1SecurityContext:
    return V1SecurityContext(
        allow_privilege_escalation=False,
        privileged=False,
        read_only_root_filesystem=True,
        run_as_non_root=spec.engine.run_as_non_root or None,
        capabilities=V1Capabilities(drop=["ALL"]),
    )


def _probe(probe: HttpProbe) -> V1Probe:
    return V1Probe(
        http_get=V1HTTPGetAction(path=probe.path, port="http", scheme="HTTP"),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
        success_threshold=1,
    )


def _on_nodes_with(gpu: Gpu) -> V1Affinity:
    """Only on nodes whose label names this very product: another card would have other memory."""
    product = V1NodeSelectorRequirement(key=gpu.product_label, operator="In", values=list(gpu.products))
    required = V1NodeSelector(node_selector_terms=[V1NodeSelectorTerm(match_expressions=[product])])
    return V1Affinity(node_affinity=V1NodeAffinity(required_during_scheduling_ignored_during_execution=required))


def _tolerations(spec: Spec, gpu: Gpu) -> list[V1Toleration]:
    own = V1Toleration(key=gpu.taint_key, operator="Exists", effect="NoSchedule")
    asked = [
        V1Toleration(
            key=toleration.key or None,
            operator=toleration.operator,
            value=toleration.value or None,
            effect=toleration.effect or None,
        )
        for toleration in spec.gpu.tolerations
    ]
    return [own, *asked]


def _spread(owner: Owner) -> V1TopologySpreadConstraint:
    """One lost node should take as few replicas as possible, but a full node is better than none."""
    return V1TopologySpreadConstraint(
        max_skew=1,
        topology_key=HOSTNAME_LABEL,
        when_unsatisfiable="ScheduleAnyway",
        label_selector=pod_selector(owner.name),
    )
