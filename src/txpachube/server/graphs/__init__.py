"""
Graphs: from the numbers of a datastream to a picture of them.

::

    columns    many datapoints -> at most one entry per column of pixels, no spike lost
    look       query parameters -> what the picture shall look like
    scale      the values' axis: limits and ticks at round numbers
    timeaxis   the time's axis: ticks where clock and calendar have them, in a zone
    letters    how wide a text is, in the font that comes along
    layout     which parts fit into the picture, and where
    plane      moments and values -> pixels
    axes       the lines behind the data and the texts beside them
    legend     the box inside
    drawing    all of it -> SVG
    painter    SVG -> PNG, in a process of its own
    studio     drawing and painting off the reactor's thread; pictures kept for the next one who asks

All but the last two are pure. The SVG needs nothing but this package; the PNG needs the extra ``graphs``.
"""
