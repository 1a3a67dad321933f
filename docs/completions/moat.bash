# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# bash completion for moat.  The options are those that moat itself prints.

_moat() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W \
			"run list stop console check topology iommu trace help version" -- "$word")
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then # behind it: another command
			_command_offset $((i + 1)) 2>/dev/null || compopt -o default
			return
		fi
	done
	case ${COMP_WORDS[1]} in
	stop | console)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(moat list 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$word")
		return
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W \
			"run list stop console check topology iommu trace options" -- "$word")
		return
		;;
	esac
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "-- $(moat help options 2>/dev/null |
			sed -n 's/.*\(--[a-z-]*\).*/\1/p')" -- "$word")
		return
	fi
	case $before in
	--share | --rw | --root | --modules | --cache) compopt -o dirnames ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
	--iommu | --viot | --rng | --pvpanic | --pvh)
		mapfile -t COMPREPLY < <(compgen -W "on off" -- "$word")
		;;
	*) compopt -o default ;;
	esac
}
complete -F _moat moat
