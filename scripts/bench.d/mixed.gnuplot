# SPDX-License-Identifier: GPL-2.0
# Draw the results of `scripts/bench mixed`: how long each packet of the first millisecond
# took, with each of the qdiscs.  Variable: dir, where mixed-CONFIG.txt are (flow, number,
# sent and arrived in ns; flows from 8 on are mice).
array Config[4] = ["pfifo", "netem-slot", "reframer-noadaptive", "reframer"]
array Title[4] = ["pfifo", "netem slot 64us + fq\\_codel", \
	"reframer noadaptive", "reframer"]

do for [format in "png svg"] {
	if (format eq "png") {
		set terminal pngcairo size 1400,420 font "sans,11"
	} else {
		set terminal svg size 1400,420 font "sans,11"
	}
	set output dir."/mixed.".format
	set multiplot layout 1,4 title \
		"8 interleaved trains and 16 mice: what a packet waits, delay 64 us"
	set xlabel "sent at, us"
	set ylabel "arrived later by, us"
	set key top right horizontal
	do for [i = 1:4] {
		file = dir."/mixed-".Config[i].".txt"
		set xrange [*:*]
		set yrange [*:*]
		stats file using 3 nooutput
		set xrange [0:1000]
		set yrange [-3:85]
		set title Title[i]
		plot file using (($3 - STATS_min) / 1e3):($1 < 8 ? ($4 - $3) / 1e3 : NaN) \
			with points pt 7 ps 0.3 lc rgb "#999999" title "trains", \
		     file using (($3 - STATS_min) / 1e3):($1 >= 8 ? ($4 - $3) / 1e3 : NaN) \
			with points pt 7 ps 1.1 lc rgb "#cc3311" title "mice"
	}
	unset multiplot
}
