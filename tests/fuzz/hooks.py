"""What a schema cannot say, made so in requests that are meant to be good ones."""

import itertools
import re

import schemathesis

COUNT = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    meta = case.meta
    operation = case.operation.definition.raw.get("operationId")
    number = next(COUNT)
    if operation in DEFINITIONS:
        own_definition(operation, case, number)
    if meta is None or not meta.generation.mode.is_positive:
        return
    headers = case.headers or {}
    # One key for all requests would be refused for all but the first.
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = f"fuzz-{number}"
    # A made-up version never holds: most requests are better without it.
    if number % 4 != 0:
        headers.pop("If-Match", None)
        headers.pop("If-None-Match", None)
    elif "If-Match" in headers:
        headers["If-Match"] = "*"
    if "audit" in case.operation.path and case.query:
        # A position is one that an earlier answer showed: none can be made up.
        case.query.pop("cursor", None)
    body = case.body
    if not isinstance(body, dict):
        return
    if operation == "addCredential":
        # Names a workspace, and one that is there.
        body.pop("workspace", None)
    if operation == "putResource":
        # May only say again what the path says.
        for member in ("id", "type"):
            body.pop(member, None)
    if operation == "changePatientStatus" and body.get("newStatus") == "STP":
        # With this one a reason has to say why a search ended.
        if body.get("changeReason") in (None, "NPH", "NML", "RCM"):
            body["changeReason"] = "FND"
    # Formats are not kept where null may stand as well.
    for member, inner in (("diagnosis", "diagnosisDate"), ("filters", "recordLastUpdatedFrom")):
        if isinstance(body.get(member), dict) and body[member].get(inner) == "":
            body[member][inner] = None
    if operation == "deliverResults":
        good_delivery(body)
    if operation in DEFINITIONS:
        good_definition(operation, body)
    if operation in ("putResource", "createResource"):
        good_meta(body)
        good_ids(body.get("contained"))


def good_delivery(body):
    """An error is alone; ids differ within their list."""
    others = [name for name in body if name != "error"]
    if isinstance(body.get("error"), dict) and next(COUNT) % 2 == 0:
        for name in others:
            body.pop(name)
        return
    body.pop("error", None)
    for records in body.values():
        for number, record in enumerate(records if isinstance(records, list) else []):
            if isinstance(record, dict):
                record["id"] = f"{number}"


PROPERTIES = {
    "mrn": {"type": "symbol", "rules": [{"required": True}, {"pattern": "^[0-9]{6}$"}]},
    "visits": {"type": "array", "items": {"type": "object", "properties": {"day": {"type": "date"}}}},
}

DEFINITIONS = {
    "putProfile": "profileKey",
    "putCollection": "collectionKey",
    "putRelationshipDefinition": "relationshipDefinitionKey",
}


def own_definition(operation, case, number):
    """Whatever else is wrong with it, it may be taken: no type is closed that others write to."""
    key = DEFINITIONS[operation]
    if re.fullmatch(r"[A-Za-z0-9_-]+", str((case.path_parameters or {}).get(key))):
        case.path_parameters[key] = f"fuzz-{number}"


def good_definition(operation, body):
    """What a schema cannot say of properties."""
    members = body.get("profile") if operation == "putCollection" else body
    if not isinstance(members, dict):
        return
    members.pop("contained", None)
    if "properties" in members:
        members["properties"] = PROPERTIES


def good_meta(body):
    """Times are not in the future nor in the wrong order; identifiers differ."""
    meta = body.get("meta")
    if not isinstance(meta, dict):
        return
    for member in ("createdAt", "updatedAt", "source"):
        meta.pop(member, None)
    if isinstance(meta.get("identifier"), list):
        meta["identifier"] = meta["identifier"][:1]


def good_ids(contained):
    """Ids differ within their array."""
    if not isinstance(contained, dict):
        return
    for items in contained.values():
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                item.pop("id", None)
                good_ids(item.get("contained"))
