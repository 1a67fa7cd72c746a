# SPDX-License-Identifier: GPL-2.0
# Draw what `scripts/bench floods` measured: the cost of a packet over noqueue while
# the device takes all, and while the queue is full.  dir, name: where NAME.json is.
array Config[5] = ["pfifo", "fq", "fq_codel", "reframer", "reframer noadaptive"]
colours = "#999999 #4477aa #228833 #cc3311 #ee7733"
array Load[6] = ["1 flow", "16 flows", "256 flows", "4096 flows", "65536 flows", \
	"each packet a flow"]
array State[2] = ["passing", "full"]
array Title[2] = ["passing: the device takes all packets", \
	"full: each packet makes the qdisc drop one"]
rows(state, config) = sprintf("< jq -r '.rows as $rows | [\"1 flow\", \"16 flows\", \
	\"256 flows\", \"4096 flows\", \"65536 flows\", \"each packet a flow\"] | \
	to_entries[] | .key as $x | \"%s, \\(.value)\" as $metric | $rows[] | \
	select(.config == \"%s\" and .metric == $metric) | [$x, .median] | @tsv' %s/%s.json", \
	state, config, dir, name)

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1200,480 font "sans,11" noenhanced
	} else {
		set terminal svg size 1200,480 font "sans,11" noenhanced
	}
	set output dir."/".name.".".format
	set multiplot layout 1,2 title "What a packet of a flood costs over noqueue"
	set datafile separator "\t"
	set xrange [-0.3:5.3]
	set xtics rotate by 20 right
	do for [l = 1:6] {
		set xtics add (Load[l] l - 1)
	}
	set ylabel "instructions"
	set grid y
	set rmargin 3
	set key below maxrows 2
	do for [s = 1:2] {
		set title Title[s]
		if (s == 2) { set logscale y; set yrange [10:*] } else { set yrange [0:*] }
		plot for [i = 1:5] rows(State[s], Config[i]) using 1:2 with linespoints \
			pt 7 lw (i == 4 ? 3 : 1.5) lc rgb word(colours, i) title Config[i]
	}
	unset multiplot
	unset logscale y
	unset xtics
	set xtics
}
