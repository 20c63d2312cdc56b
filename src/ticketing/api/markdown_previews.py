"""/markdown-previews"""

from typing import Any

from ticketing import markdown
from ticketing.contract import Answer


async def create_markdown_preview(body: dict[str, Any]) -> Answer:
    return Answer({"html": await markdown.html(body["text"])}, 201)
