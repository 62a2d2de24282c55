"""A picture as a part of a page: SVG whose identifiers clash with those of no other."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

SVG: Final = "http://www.w3.org/2000/svg"
XLINK: Final = "http://www.w3.org/1999/xlink"
REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
KEPT_ATTRIBUTE: Final = "viewBox"


def inline_svg(svg: bytes, title: str, number: int) -> str:
    """Return matplotlib's picture as an element of HTML, as wide as there is room.

    Its title is for screen readers; its number on the page goes into its identifiers.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    # matplotlib wrote it in this process; names in it are text that it has escaped.
    root = ET.fromstring(svg)  # noqa: S314
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for name in set(root.attrib) - {KEPT_ATTRIBUTE}:
        del root.attrib[name]
    root.set("role", "img")
    root.set("aria-label", title)
    _prefix_identifiers(root, f"p{number}-")
    return ET.tostring(root, encoding="unicode")


def _prefix_identifiers(root: ET.Element, prefix: str) -> None:
    """Give a prefix to the identifiers that are referred to, and remove the others."""
    link = f"{{{XLINK}}}href"
    wanted = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == link and value.startswith("#"):
                wanted.add(value[1:])
                element.set(key, f"#{prefix}{value[1:]}")
            elif found := REFERENCE.findall(value):
                wanted.update(found)
                element.set(key, REFERENCE.sub(rf"url(#{prefix}\1)", value))
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in wanted:
            element.set("id", f"{prefix}{identifier}")
