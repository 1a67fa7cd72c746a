# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench rpc` or `rpc-virtual`: throughput (median, minimum,
# maximum) relative to pfifo's median.  Variables: dir, where NAME.json is, and name.
configs = system(sprintf("jq -r '[.rows[].config] | unique | map(\"\\u0027\\(.)\\u0027\") | \
	join(\" \")' %s/%s.json", dir, name))
hues = "#4477aa #66ccee #228833 #999999 #cc3311 #ccbb44 #ee7733"
# A line for each server: its position and the figures
rows(config) = sprintf("< jq -r --arg config '%s' '.rows as $rows | \
	[\"redis set\", \"redis get\", \"memcached\"] | to_entries[] | .key as $x | .value as $of | \
	def of(config): $rows[] | select(.metric == \"\\($of) throughput\" and .config == config); \
	of(\"pfifo\").median as $base | of($config) | \
	[$x, (.median, .min, .max) / $base] | @tsv' %s/%s.json", config, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 900,420 font "sans,11" noenhanced
	} else {
		set terminal svg size 900,420 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set title "Requests per second, relative to pfifo"
	set datafile separator "\t"
	set xrange [-0.5:2.5]
	set xtics ("redis set" 0, "redis get" 1, "memcached" 2) scale 0
	set grid y
	set key outside right
	plot for [i = 1:words(configs)] rows(word(configs, i)) \
		using ($1 + (i - (words(configs) + 1) / 2.0) * 0.12):2:3:4 \
		with yerrorbars pt 7 lw 2 lc rgb word(hues, i) title word(configs, i)
}
