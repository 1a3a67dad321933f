# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash
#
# cache.sh - where the tools keep what they fetched or built.
#
# Everything in the cache can be deleted at any time; the tools make it anew.

# cache_dir - print the cache's directory, created if missing.
cache_dir() {
	local dir=${MOAT_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither MOAT_CACHE nor HOME is set}/.cache}/moat}

	mkdir -p "$dir" || return
	(cd "$dir" && pwd -P)
}
