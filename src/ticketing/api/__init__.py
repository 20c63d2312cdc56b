"""Every operation of the contract, by its operationId. The contract engine binds them by these names."""

from ticketing.api.categories import create_category, get_category, list_categories, update_category
from ticketing.api.comments import create_comment, delete_comment, get_comment, list_comments, update_comment
from ticketing.api.events import create_stream_pass, list_event_log, list_events, list_ticket_events, stream_events
from ticketing.api.health import get_health
from ticketing.api.index import get_api
from ticketing.api.invitations import (
    create_invitation,
    get_invitation,
    list_invitations,
    resend_invitation,
    revoke_invitation,
)
from ticketing.api.jobs import cancel_job, get_job, list_jobs, retry_job
from ticketing.api.mails import get_mail, list_mails
from ticketing.api.markdown_previews import create_markdown_preview
from ticketing.api.me import get_me, update_me
from ticketing.api.presences import create_presence, delete_presence
from ticketing.api.projects import create_project, get_project, list_projects, update_project
from ticketing.api.queues import get_queue, list_queues, update_queue
from ticketing.api.schedules import list_schedules
from ticketing.api.sessions import (
    create_session,
    delete_session,
    end_other_sessions,
    end_session,
    get_session,
    list_sessions,
)
from ticketing.api.sign_in_codes import create_sign_in_code
from ticketing.api.similar_tickets import find_similar_tickets
from ticketing.api.tickets import change_tickets, create_ticket, get_ticket, list_tickets, update_ticket
from ticketing.api.tokens import (
    create_token,
    create_user_token,
    get_token,
    get_user_token,
    list_tokens,
    list_user_tokens,
    revoke_token,
    revoke_user_token,
)
from ticketing.api.users import create_user, get_user, list_users, update_user
from ticketing.api.views import create_view, delete_view, get_view, get_view_counts, list_views, update_view
from ticketing.api.webhooks import (
    create_webhook_endpoint,
    delete_webhook_endpoint,
    get_delivery,
    get_webhook_endpoint,
    list_deliveries,
    list_webhook_endpoints,
    ping_webhook_endpoint,
    redeliver_webhooks,
    rotate_webhook_secret,
    update_webhook_endpoint,
)

__all__ = [
    "cancel_job",
    "change_tickets",
    "create_category",
    "create_comment",
    "create_invitation",
    "create_markdown_preview",
    "create_presence",
    "create_project",
    "create_session",
    "create_sign_in_code",
    "create_stream_pass",
    "create_ticket",
    "create_token",
    "create_user",
    "create_user_token",
    "create_view",
    "create_webhook_endpoint",
    "delete_comment",
    "delete_presence",
    "delete_session",
    "delete_view",
    "delete_webhook_endpoint",
    "end_other_sessions",
    "end_session",
    "find_similar_tickets",
    "get_api",
    "get_category",
    "get_comment",
    "get_delivery",
    "get_health",
    "get_invitation",
    "get_job",
    "get_mail",
    "get_me",
    "get_project",
    "get_queue",
    "get_session",
    "get_ticket",
    "get_token",
    "get_user",
    "get_user_token",
    "get_view",
    "get_view_counts",
    "get_webhook_endpoint",
    "list_categories",
    "list_comments",
    "list_deliveries",
    "list_event_log",
    "list_events",
    "list_invitations",
    "list_jobs",
    "list_mails",
    "list_projects",
    "list_queues",
    "list_schedules",
    "list_sessions",
    "list_ticket_events",
    "list_tickets",
    "list_tokens",
    "list_user_tokens",
    "list_users",
    "list_views",
    "list_webhook_endpoints",
    "ping_webhook_endpoint",
    "redeliver_webhooks",
    "resend_invitation",
    "retry_job",
    "revoke_invitation",
    "revoke_token",
    "revoke_user_token",
    "rotate_webhook_secret",
    "stream_events",
    "update_category",
    "update_comment",
    "update_me",
    "update_project",
    "update_queue",
    "update_ticket",
    "update_user",
    "update_view",
    "update_webhook_endpoint",
]
