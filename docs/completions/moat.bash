# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# bash completion for moat.  Commands, options and their values are those that
# moat itself prints.

_moat_commands() {
	moat help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# _moat_help COMMAND - the text that has its options, a line each
_moat_help() {
	case $1 in
	run | topology) moat help options ;;
	*) moat "$1" --help ;;
	esac 2>/dev/null
}

_moat() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} words='' i

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(_moat_commands)" -- "$word")
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then # behind it: another command
			_command_offset $((i + 1)) 2>/dev/null || compopt -o default
			return
		fi
	done
	case $command in
	stop | console | iommu | stats | balloon) words=$(moat list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	help) words="$(_moat_commands) options" ;;
	esac
	if [[ $word == -* ]]; then
		words=$(_moat_help "$command" | sed -n 's/^  .*\(--[a-z][a-z-]*\).*/\1/p')
		[[ $command != run ]] || words+=' --'
	elif [[ $before == --* ]]; then # "on|off|auto", or something like FILE
		words=$(_moat_help "$command" |
			sed -n "s/^  .*$before \([a-z]*|[a-z|]*\).*/\1/p" | tr '|' ' ')
	fi
	case $before in
	--share | --rw | --root | --modules | --cache | --pwd) compopt -o dirnames ;;
	--user) words=$(compgen -u) ;;
	*) [[ $words ]] || compopt -o default ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _moat moat
