# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# fish completion for moat.  The options are those that moat itself prints.

function __moat_options
	moat help options 2>/dev/null | string match -rg -- '--([a-z-]+)' | string replace -r '^' -- '--'
end

function __moat_guests
	moat list 2>/dev/null | tail -n +2 | string replace -r ' .*' ''
end

set -l commands run list stop console check topology iommu trace help version
complete -c moat -f -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c moat -f -n "__fish_seen_subcommand_from stop console" -a "(__moat_guests)"
complete -c moat -f -n "__fish_seen_subcommand_from help" -a "run list stop console check topology iommu trace options"
complete -c moat -F -n "__fish_seen_subcommand_from run topology; and not contains -- -- (commandline -opc)" -a "(__moat_options) --"
complete -c moat -n "contains -- -- (commandline -opc)" -a "(__fish_complete_subcommand --commandline)"
