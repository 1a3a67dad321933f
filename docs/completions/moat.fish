# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# fish completion for moat.  Commands and options are those that moat itself
# prints.

function __moat_commands
	moat help 2>/dev/null | string match -rg '^  ([a-z]+) +(.*)' | while read -l name
		read -l text
		printf '%s\t%s\n' $name $text
	end
end

# The options of the command that is being typed
function __moat_options
	set -l words (commandline -opc)
	set -l name $words[2]
	if contains -- $name run topology
		moat help options
		test $name = topology; or echo '  --'
	else
		moat $name --help
	end 2>/dev/null | string match -rg '^  .*(--[a-z-]*)'
end

function __moat_guests
	moat list 2>/dev/null | tail -n +2 | string replace -r ' .*' ''
end

function __moat_behind_dashes
	contains -- -- (commandline -opc)
end

# What completes the command behind the dashes
function __moat_guest_command
	set -l words (commandline -opc)
	while test $words[1] != --
		set -e words[1]
	end
	set -e words[1]
	complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c moat -f -n "__fish_is_first_arg" -a "(__moat_commands)"
complete -c moat -f -n "__fish_seen_subcommand_from stop console iommu stats balloon; and not __moat_behind_dashes" -a "(__moat_guests)"
complete -c moat -f -n "__fish_seen_subcommand_from help" -a "(__moat_commands) options"
complete -c moat -F -n "not __fish_is_first_arg; and not __moat_behind_dashes; and not __fish_seen_subcommand_from stop console help list check version" -a "(__moat_options)"
complete -c moat -n __moat_behind_dashes -a "(__moat_guest_command)"
