
# Condition keys of IAM that ministack's evaluation of policies lacks. This file runs between sqs.py and run.py.
import json  # noqa: E402
import re  # noqa: E402

from ministack.core import iam_actions, iam_evaluator  # noqa: E402
from ministack.services import dynamodb, iam  # noqa: E402

ministack_dynamodb_context = iam_actions.dynamodb_service_context
# The names of attributes in an expression, without placeholders of values and the names of functions.
ATTRIBUTE = re.compile(r"(?<![:#.\w])#?[A-Za-z_]\w*(?!\w*\s*\()")
KEYWORDS = {"set", "remove", "add", "delete", "and", "or", "not", "between", "in"}


# The top-level attributes that a write names: those of its key, its item and its expressions.
def written_attributes(request):
    names = request.get("ExpressionAttributeNames") or {}
    found = set(request.get("Item") or request.get("Key") or ())
    found.update(request.get("AttributeUpdates") or ())
    for expression in (request.get("UpdateExpression"), request.get("ConditionExpression")):
        for name in ATTRIBUTE.findall(expression or ""):
            if name.lower() not in KEYWORDS:
                found.add(names.get(name, name))
    return sorted(found)


# DynamoDB Developer Guide, "Using IAM policy conditions": dynamodb:LeadingKeys has the partition keys of a request,
# dynamodb:Attributes the attributes that it names, and dynamodb:ReturnValues the parameter of that name. The keys in the
# condition of a query are not emulated, so a policy with the first key refuses a query here.
def dynamodb_context(body):
    context = ministack_dynamodb_context(body)
    request = json.loads(body or b"{}")
    if "UpdateExpression" in request or "AttributeUpdates" in request or "Item" in request:
        context["dynamodb:Attributes"] = written_attributes(request)
    if request.get("ReturnValues"):
        context["dynamodb:ReturnValues"] = request["ReturnValues"]
    batches = request.get("RequestItems") or {request.get("TableName"): [request]}
    keys = []
    for table, requests in batches.items():
        schema = (dynamodb._tables.get(table) or {}).get("KeySchema", [])
        partition = next((key["AttributeName"] for key in schema if key["KeyType"] == "HASH"), None)
        for one in requests if isinstance(requests, list) else [{"Key": key} for key in requests.get("Keys", [])]:
            one = one.get("PutRequest") or one.get("DeleteRequest") or one
            value = (one.get("Item") or one.get("Key") or {}).get(partition)
            keys.extend(value.values() if value else [])
    if keys:
        context["dynamodb:LeadingKeys"] = keys
    return context


ministack_resolve = iam_evaluator._resolve_condition_key


# IAM User Guide, "aws:PrincipalArn": for a session of a role it is the ARN of the role, not that of the session.
def resolve(key, context):
    if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
        name = iam_evaluator._role_name_from_assumed_arn(context.principal_arn)
        role = iam._roles.get_scoped(context.principal_account, None, name)
        return role["Arn"] if role else context.principal_arn
    if key.lower() == "aws:securetransport":
        # The emulator has no TLS: clients on this machine reach it over loopback.
        return "true"
    return ministack_resolve(key, context)


iam_actions.dynamodb_service_context = dynamodb_context
iam_evaluator._resolve_condition_key = resolve
