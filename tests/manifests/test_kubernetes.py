"""The manifests of docs/kubernetes.md: their schemas, their exit codes, what they refer to, and what pods may do."""

import copy
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hpo.cli.run_command import command as run_command
from hpo.config.reading import read_sweep_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/manifests/kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
SECRETS = {"hpo-store", "hpo-files"}
VERSIONS = ("1.31", "1.34")
FINAL, LATER, AGAIN = "FailJob", "Count", "Ignore"
EXPECTED = {1: FINAL, 2: FINAL, 3: FINAL, 4: FINAL, 5: LATER, 75: LATER, 6: AGAIN, 143: AGAIN}
BY_HAND = {0, 130, 129}
"""Done, Ctrl-C, and a terminal that went away: pods have none."""

Document = Mapping[str, Any]


@functools.cache
def documents(path: Path) -> list[Document]:
    return [found for found in YAML(typ="safe").load_all(path) if found]


def everything() -> Iterator[Document]:
    for path in FILES:
        yield from documents(path)


def job_specs() -> Iterator[tuple[str, Document]]:
    for document in everything():
        if document["kind"] == "Job":
            yield document["metadata"]["name"], document["spec"]
        if document["kind"] == "CronJob":
            yield document["metadata"]["name"], document["spec"]["jobTemplate"]["spec"]


def templates() -> Iterator[tuple[str, Document]]:
    """All pods that are described: name, and their template."""
    for name, spec in job_specs():
        yield name, spec["template"]
    for document in everything():
        name = document["metadata"]["name"]
        if document["kind"] == "Deployment":
            yield name, document["spec"]["template"]
        if document["kind"] == "DaskCluster":
            for part in ("scheduler", "worker"):
                yield f"{name}-{part}", document["spec"][part]


JOBS, PODS = dict(job_specs()), dict(templates())


def named(kind: str) -> set[str]:
    return {found["metadata"]["name"] for found in everything() if found["kind"] == kind}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_knows_our_exit_codes(name: str) -> None:
    """What is final fails the job at once, what passes is tried again, and whoever was taken over ends nothing."""
    spec = JOBS[name]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # else there may be no podFailurePolicy
    decided: dict[int, str] = {}
    for rule in spec["podFailurePolicy"]["rules"]:
        if "onExitCodes" in rule:
            assert rule["onExitCodes"]["containerName"] in {each["name"] for each in containers(name)}
            for code in rule["onExitCodes"]["values"]:
                decided.setdefault(code, rule["action"])
    assert decided == EXPECTED
    disrupted = spec["podFailurePolicy"]["rules"][0]
    assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == (AGAIN, "DisruptionTarget")
    assert spec["podReplacementPolicy"] == "Failed"


def test_the_exit_codes_are_those_that_are_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text().partition("## Exit codes")[2]
    listed = re.findall(r"^\| ([0-9, ]+) \|", text, re.M)
    assert {int(code) for row in listed for code in row.split(",")} == set(EXPECTED) | BY_HAND


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_no_more_than_it_needs(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(name):
        own = container["securityContext"]
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_refers_to_is_there(name: str) -> None:
    spec = PODS[name]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for container in containers(name):
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
        assert {source["secretRef"]["name"] for source in container.get("envFrom", [])} <= SECRETS
    for volume in volumes.values():
        if "configMap" in volume:
            assert volume["configMap"]["name"] in named("ConfigMap")
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in named("PersistentVolumeClaim")


def test_only_drivers_know_the_database() -> None:
    for name, template in PODS.items():
        secrets = {s["secretRef"]["name"] for c in containers(name) for s in c.get("envFrom", [])}
        assert ("hpo-store" in secrets) == (name in JOBS), (name, template["spec"])


@pytest.mark.parametrize("name", JOBS)
def test_what_a_driver_is_told_can_be_told_to_hpo(name: str) -> None:
    """The sweep file of the ConfigMap, with the settings of the command."""
    [container] = containers(name)
    verb, file, *options = container["args"]
    assert (verb, file) == ("run", "/etc/hpo/sweep.yaml")
    given = [str(option).replace("$(POD_IP)", "10.1.2.3").replace("$(JOB_NAME)", "iris-29") for option in options]
    context = run_command.make_context("run", ["sweep.yaml", *given], resilient_parsing=True)
    [sweep] = [found["data"]["sweep.yaml"] for found in everything() if found["kind"] == "ConfigMap"]
    config = read_sweep_text(sweep, "sweep.yaml", list(context.params["settings"]))
    assert config.tracker.artifacts == "s3://models/hpo"
    assert config.parallel.backend == ("dask" if "dask" in name else "loky")


def test_what_selects_pods_finds_some_and_ports_are_open_where_they_are_served() -> None:
    selectors = []
    for document in everything():
        if document["kind"] == "Service":
            selectors.append({"matchLabels": document["spec"]["selector"]})
        if document["kind"] == "NetworkPolicy":
            selectors.append(document["spec"]["podSelector"])
            for rule in document["spec"].get("ingress", []):
                selectors += [source["podSelector"] for source in rule["from"]]
        if document["kind"] == "Deployment":
            selectors.append(document["spec"]["selector"])
    labelled = [template["metadata"]["labels"] for template in PODS.values() if "metadata" in template]
    assert len(selectors) > 8
    for selector in selectors:
        assert any(is_selected(selector, labels) for labels in labelled), selector


def test_the_port_where_workers_reach_the_driver_is_open_to_workers_alone() -> None:
    [container] = containers("iris-dask")
    assert "-Sparallel.listen=$(POD_IP):9700" in container["args"]
    assert [port["containerPort"] for port in container["ports"]] == [9700]
    [policy] = [d for d in everything() if d["metadata"]["name"] == "hpo-dask-driver" and d["kind"] == "NetworkPolicy"]
    [rule] = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": 9700, "protocol": "TCP"}]
    [source] = rule["from"]
    assert source["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "worker"


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schemas_of_kubernetes_take_them(path: Path, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for document in documents(path):
        if "dask.org" not in document["apiVersion"]:
            assert kubernetes_validate.validate(document, version, strict=True) == version


@pytest.mark.slow
def test_a_wrong_key_would_be_found() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    [job] = [document for document in documents(FOLDER / "one-pod.yaml") if document["kind"] == "Job"]
    wrong = copy.deepcopy(job)
    wrong["spec"]["podFailurePolicy"]["rules"][0]["acton"] = "Ignore"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def containers(name: str) -> list[Document]:
    found: list[Document] = PODS[name]["spec"]["containers"]
    return found


def is_selected(selector: Document, labels: Mapping[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))
