"""Every operation of the contract, by its operationId. The contract engine binds them by these names."""

from ticketing.api.categories import create_category, get_category, list_categories, update_category
from ticketing.api.comments import create_comment, delete_comment, get_comment, list_comments, update_comment
from ticketing.api.events import list_ticket_events
from ticketing.api.me import get_me
from ticketing.api.operations import (
    cancel_job,
    get_job,
    list_jobs,
    list_queues,
    list_schedules,
    pause_queue,
    resume_queue,
    retry_job,
)
from ticketing.api.projects import create_project, get_project, list_projects, update_project
from ticketing.api.tickets import create_ticket, get_ticket, list_tickets, update_ticket
from ticketing.api.tokens import create_token, get_token, list_tokens, revoke_token
from ticketing.api.users import create_user, get_user, list_users, update_user

__all__ = [
    "cancel_job",
    "create_category",
    "create_comment",
    "create_project",
    "create_ticket",
    "create_token",
    "create_user",
    "delete_comment",
    "get_category",
    "get_comment",
    "get_job",
    "get_me",
    "get_project",
    "get_ticket",
    "get_token",
    "get_user",
    "list_categories",
    "list_comments",
    "list_jobs",
    "list_projects",
    "list_queues",
    "list_schedules",
    "list_ticket_events",
    "list_tickets",
    "list_tokens",
    "list_users",
    "pause_queue",
    "resume_queue",
    "retry_job",
    "revoke_token",
    "update_category",
    "update_comment",
    "update_project",
    "update_ticket",
    "update_user",
]
