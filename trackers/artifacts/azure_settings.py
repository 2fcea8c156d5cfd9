"""What the environment says of an Azure storage account: its name, its endpoint, and credentials for it."""

from collections.abc import Mapping

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
_ACCOUNT = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")


def account_in(environment: Mapping[str, str]) -> str:
    """The storage account that the environment names; empty where it names none."""
    given = _connection(environment).get("AccountName", "")
    return given or next((environment[name] for name in _ACCOUNT if environment.get(name)), "")


def settings_in(environment: Mapping[str, str], account: str) -> dict[str, str]:
    """What a client of that account is to be told beyond what it reads from `AZURE_*` by itself."""
    parts = _connection(environment)
    settings = {"account_name": account}
    if parts.get("AccountName") != account:
        if environment.get("AZURE_STORAGE_ACCESS_KEY"):
            settings["account_key"] = environment["AZURE_STORAGE_ACCESS_KEY"]
        return settings
    if key := parts.get("AccountKey"):
        settings["account_key"] = key
    if sas := parts.get("SharedAccessSignature"):
        settings["sas_key"] = sas
    endpoint = parts.get("BlobEndpoint")
    if not endpoint and (suffix := parts.get("EndpointSuffix")):
        endpoint = f"{parts.get('DefaultEndpointsProtocol', 'https')}://{account}.blob.{suffix}"
    if endpoint:
        settings["endpoint"] = endpoint.rstrip("/")
    return settings


def _connection(environment: Mapping[str, str]) -> dict[str, str]:
    """The parts of a connection string, `Name=value;Name=value`; values may hold `=`."""
    parts = (part.partition("=") for part in environment.get(CONNECTION, "").split(";"))
    return {name.strip(): value.strip() for name, _, value in parts if value}
