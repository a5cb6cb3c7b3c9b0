
# Events of routes with a JWT authorizer, as API Gateway sends them. This file runs between sqs.py and run.py.
from ministack.services import apigateway, lambda_svc  # noqa: E402

ministack_validate = apigateway._validate_jwt_authorizer
ministack_execute = lambda_svc._execute_function_with_config_scope


# `requestContext.authorizer.jwt.scopes` is null unless the route has scopes (API Gateway Developer Guide, "Create AWS Lambda
# proxy integrations for HTTP APIs"). ministack puts the token's scopes there.
async def validate_jwt(route, authorizer, headers, query_params):
    claims, scopes, error = await ministack_validate(route, authorizer, headers, query_params)
    return claims, scopes if route.get("authorizationScopes") else [], error


def execute(function, event):
    context = event.get("requestContext") if isinstance(event, dict) else None
    jwt = context.get("authorizer", {}).get("jwt") if isinstance(context, dict) else None
    if jwt is not None:
        jwt["scopes"] = jwt["scopes"] or None
    return ministack_execute(function, event)


apigateway._validate_jwt_authorizer = validate_jwt
lambda_svc._execute_function_with_config_scope = execute
