"""Task roles, which ECS assumes for the tasks that it starts.

AWS behavior restored: when ECS assumes a task role, the request carries ``aws:SourceAccount`` and ``aws:SourceArn`` of
the task, by which the role's trust policy can tell it from another account's.
[docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html]

Here the root user stands for ECS: nobody else may assume a role that trusts only a service.
"""

from ministack.core import iam_evaluator

from .patching import patch


def install():
    @patch(iam_evaluator, "_resolve_condition_key")
    def resolve_condition_key(original, key, context):
        if context.action == "sts:AssumeRole" and context.principal_arn.endswith(":root"):
            if key.lower() == "aws:sourceaccount":
                return context.principal_account
            if key.lower() == "aws:sourcearn":
                return f"arn:aws:ecs:{context.region}:{context.principal_account}:task/sandbox"
        return original(key, context)
