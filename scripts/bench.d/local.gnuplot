# SPDX-License-Identifier: GPL-2.0
# Draw what `scripts/bench local` measured: the throughput of a local TCP flow
# relative to pfifo's median, median with least and most.  dir, name: where NAME.json is.
array Tso[2] = ["on", "off"]
array Colour[2] = ["#4477aa", "#cc3311"]
rows(tso) = sprintf("< jq -r '[.rows[] | select(.metric == \"throughput, tso %s\")] | \
	(.[] | select(.config == \"pfifo\").median) as $base | .[] | \
	[.config, (.median, .min, .max) / $base] | @tsv' %s/%s.json", \
	tso, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1000,400 font "sans,11" noenhanced
	} else {
		set terminal svg size 1000,400 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set title "One local TCP flow: throughput relative to pfifo"
	set datafile separator "\t"
	set style data histogram
	set style histogram errorbars gap 1 lw 1
	set style fill solid 0.9
	set yrange [0:1.1]
	set xtics scale 0 rotate by 15 right
	set grid y
	set key outside right
	plot for [i = 1:2] rows(Tso[i]) using 2:3:4:xtic(1) lc rgb Colour[i] \
		title "TSO ".Tso[i]
}
