# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench web` relative to pfifo: the throughput of the guest
# and of a receiver alone, and the completion times.  Variables: dir, where NAME.json is,
# and name.
all = "fq_codel 'fq quantum 60000' 'netem slot' gro_flush_timeout reframer"
hues = "#228833 #4477aa #aa3377 #ccbb44 #cc3311"
configs = ""
colours = ""
do for [i = 1:words(all)] {
	if (system(sprintf("jq 'any(.rows[]; .config == \"%s\")' %s/%s.json", \
		word(all, i), dir, name)) eq "true") {
		configs = configs." '".word(all, i)."'"
		colours = colours." ".word(hues, i)
	}
}
# A line for each traffic that has METRIC: its name, and a column for each config; only
# toward the client
table(metric) = sprintf("< jq -r --arg metric ': %s' '\
	def key: [(index(\"merged\") // 9), (capture(\"(?<n>[0-9]+)(?<unit>[KM]) x (?<c>[0-9]+)\") | \
		.unit, (.n | tonumber), (.c | tonumber))]; \
	.ratios as $of | [.rows[].metric | select(endswith($metric) and contains(\" x \") and \
		(test(\"server|both\") | not))] | unique | sort_by(key) | .[] | \
	. as $row | [rtrimstr($metric), \
		($ARGS.positional[] | $of[$row][.] // \"NaN\")] | @tsv' %s/%s.json --args %s", \
	metric, dir, name, configs)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1500,900 font "sans,10" noenhanced
	} else {
		set terminal svg size 1500,900 font "sans,10" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 2,2 title "nginx and wrk, relative to pfifo"
	set datafile separator "\t"
	set style data histogram
	set style histogram clustered gap 1
	set style fill solid
	set xtics scale 0 rotate by 30 right
	set grid y
	set key top left maxrows 2
	set yrange [0:*]
	set offsets 0, 0, graph 0.15, 0
	array Metric[4] = ["throughput", "throughput of a receiver with a CPU of its own", \
		"completion, median", "completion, p99"]
	array Title[4] = ["requests per second, one CPU for all", \
		"requests per second that the receiver's work allows", \
		"completion time, median", "completion time, 99th percentile"]
	do for [i = 1:4] {
		set title Title[i]
		plot for [c = 1:words(configs)] table(Metric[i]) using (column(c + 1)):xtic(1) \
			lc rgb word(colours, c) title word(configs, c), \
			1 with lines lc rgb "#999999" title "pfifo"
	}
	unset multiplot
}
