"""The words of HTML: what is none of them was never markup (WHATWG 4, 16.2, and what browsers had before)."""

from __future__ import annotations

_ELEMENTS = """
    a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body
    br button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog
    dir div dl dt element em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head
    header hgroup hr html i iframe image img input ins isindex kbd keygen label legend li link listing main map mark
    marquee math menu menuitem meta meter multicol nav nextid nobr noembed noframes noindex noscript object ol
    optgroup option output p param picture plaintext portal pre progress q rb rbc rp rt rtc ruby s samp script
    search section select shadow slot small source spacer span strike strong style sub summary sup svg table tbody
    td template textarea tfoot th thead time title tr track tt u ul var video wbr xmp
"""

_WITHOUT_A_VALUE = """
    allowfullscreen async autofocus autoplay border checked compact controls declare default defer disabled
    formnovalidate hidden inert ismap itemscope loop multiple muted nohref nomodule noresize noshade novalidate
    nowrap open playsinline readonly required reversed scoped seamless selected truespeed
"""

ELEMENTS = frozenset(_ELEMENTS.split())
"""Every element that HTML has or had."""

WITHOUT_A_VALUE = frozenset(_WITHOUT_A_VALUE.split())
"""Attributes that may stand alone; any other that does was a word."""
