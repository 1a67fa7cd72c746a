# SPDX-License-Identifier: GPL-2.0
# Draw what `scripts/bench slack` measured, by the slack: median with least and most.
# dir, name: where NAME.json is.
array Metric[4] = ["cost of a packet", "timers per 1000 packets", "mean burst", \
	"mean hold of a release"]
array Unit[4] = ["ns", "number", "packets", "us"]
rows(metric) = sprintf("< jq -r '.rows[] | select(.metric == \"%s\") | \
	[(.config | ltrimstr(\"slack \")), .median, .min, .max] | @tsv' %s/%s.json", \
	metric, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1200,340 font "sans,11" noenhanced
	} else {
		set terminal svg size 1200,340 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 1,4 title "16 flows, all held for up to 64 us"
	set datafile separator "\t"
	set xlabel "slack, us"
	set xrange [-6:70]
	set xtics (0, 16, 32, 64)
	set yrange [0:*]
	set grid y
	unset key
	do for [i = 1:4] {
		set title Metric[i]
		set ylabel Unit[i]
		plot rows(Metric[i]) using 1:2 with lines lc rgb "#cc3311", \
			"" using 1:2:3:4 with yerrorbars pt 7 lc rgb "#cc3311"
	}
	unset multiplot
}
