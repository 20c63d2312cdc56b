"""Markdown as HTML that any page may show: `parsing` makes it, `sanitising` judges it, `rendering` keeps it."""

from ticketing.markdown.rendering import html

__all__ = ["html"]
