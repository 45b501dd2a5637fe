"""Installs every patch, then starts MiniStack."""

import logging
import os
import sys
from importlib.metadata import version

from hypercorn.config import Config
from ministack import app

from . import (
    activities,
    authorization,
    callbacks,
    cloud_map,
    condition_keys,
    decisions,
    ecs_services,
    ecs_tasks,
    empty_secrets,
    executions,
    history,
    http_apis,
    integrations,
    log_streams,
    paths,
    policy_patterns,
    private_integrations,
    reserved_sources,
    retry,
    s3_annotations,
    s3_answers,
    s3_archives,
    s3_checksums,
    s3_copies,
    s3_encryption,
    s3_headers,
    s3_keys,
    s3_missing,
    s3_multipart,
    s3_owners,
    s3_permissions,
    s3_tags,
    s3_versions,
    security_groups,
    sqs_senders,
    sqs_urls,
    states,
    sts_policies,
    task_roles,
    tasks,
    terraform_alarms,
    trails,
    transport,
    vpc_links,
)

_WRITTEN_AGAINST = "1.5.33"


def main():
    found = version("ministack")
    if found != _WRITTEN_AGAINST:
        sys.exit(f"The patches are written for MiniStack {_WRITTEN_AGAINST}, but {found} is installed: "
                 "remove the virtual environment and start again.")
    for module in (executions, states, history, tasks, activities, callbacks, retry, integrations, paths,
                   s3_answers, s3_keys, s3_checksums, s3_tags, s3_copies, s3_multipart, s3_versions, s3_encryption,
                   s3_archives, s3_permissions, s3_annotations, s3_missing, s3_owners, s3_headers, sts_policies,
                   sqs_senders, sqs_urls, transport, reserved_sources, condition_keys,
                   authorization, decisions, task_roles, policy_patterns, terraform_alarms, trails, empty_secrets,
                   log_streams, http_apis, security_groups, vpc_links, cloud_map, private_integrations, ecs_services, ecs_tasks):
        module.install()
    # As many connections at once as come: beyond the server's own 100, each would wait a second for TCP to try again.
    Config.backlog = 1_024
    status = 0
    try:
        app.main()
    except SystemExit as end:
        status = end.code or 0
    logging.shutdown()
    # Threads of open executions wait in pools that Python would join for as long as those executions last.
    os._exit(status)


if __name__ == "__main__":
    main()
