"""Figures for people: money, moments, charts. Pure functions from API answers."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["channel_chart", "clock", "day", "fact_name", "funnel_chart", "money", "moneys", "share"]

Json = Mapping[str, Any]

_INK = "#1f2937"
_MAIN = "#0f766e"
_SOFT = "#99d5cf"


def money(amount: Json | None) -> str:
    """Return an amount with its currency: `1,234.50 CNY`."""
    if not amount:
        return "–"
    return f"{Decimal(amount['amount']):,.2f} {amount['currency']}"


def moneys(amounts: Sequence[Json] | None) -> str:
    """Return amounts of several currencies, side by side."""
    return " · ".join(money(amount) for amount in amounts or ()) or "–"


def day(moment: str | None) -> str:
    """Return the day of a moment."""
    return moment[:10] if moment else "–"


def clock(moment: str | None) -> str:
    """Return a moment to the minute, in UTC."""
    return moment[:16].replace("T", " ") if moment else "–"


def share(value: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if value is None else f"{value:.1%}"


def fact_name(topic: str) -> str:
    """Return `leads.LeadQualified.v1` as `lead qualified`."""
    name = topic.split(".")[1]
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name)
    return words.strip()


def funnel_chart(stages: Sequence[Json]) -> dict[str, Any]:
    """Return the ECharts options of a funnel."""
    return {
        "textStyle": {"fontFamily": "inherit"},
        "tooltip": {"trigger": "item", "formatter": "{b}: {c}"},
        "color": ["#134e4a", "#115e59", "#0f766e", "#0d9488", "#14b8a6", "#5eead4", "#99f6e4"],
        "series": [
            {
                "type": "funnel",
                "sort": "none",
                "minSize": "2%",
                "left": "5%",
                "width": "60%",
                "top": 10,
                "bottom": 10,
                "gap": 2,
                "label": {"position": "right", "formatter": "{b}  {c}", "color": _INK},
                "data": [{"name": s["stage"], "value": int(s.get("count", 0))} for s in stages],
            }
        ],
    }


def channel_chart(channels: Sequence[Json]) -> dict[str, Any]:
    """Return the ECharts options of leads and wins per channel."""
    names = [str(c.get("key") or "unknown") for c in channels]
    return {
        "textStyle": {"fontFamily": "inherit"},
        "tooltip": {"trigger": "axis"},
        "legend": {"top": 0},
        "grid": {"left": 8, "right": 8, "bottom": 8, "top": 36, "containLabel": True},
        "xAxis": {"type": "category", "data": names, "axisLabel": {"rotate": 30}},
        "yAxis": {"type": "value"},
        "series": [
            {
                "name": "leads",
                "type": "bar",
                "color": _SOFT,
                "data": [int(c.get("leads", 0)) for c in channels],
            },
            {
                "name": "won",
                "type": "bar",
                "color": _MAIN,
                "data": [int(c.get("won", 0)) for c in channels],
            },
        ],
    }
