# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
"""What the plots under tools/ are drawn with."""


def text(x, y, what, anchor="start", size=12, fill="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{what}</text>'


def rect(x, y, width, height, fill):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def document(width, height, elements):
    """The whole picture, on white."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>',
        *elements,
        "</svg>",
    ])
