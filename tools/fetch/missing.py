# SPDX-License-Identifier: MIT
"""The error of everything that fetches."""


class Missing(Exception):
    """Why a source can't be had."""
